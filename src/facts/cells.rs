//! The fields of a struct as cells of a table: a serializer that writes no text and makes no map, and
//! passes over what nobody wants.

use crate::model::table::{Field, Wanted};
use serde::ser::{Impossible, SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};
use serde_json::{Error, Value};
use std::sync::OnceLock;

/// Where the fields of a row's type belong.
pub(super) struct Layout {
    names: Vec<String>,
    /// Columns in the order in which the first row named them: rows of one type all do the same.
    order: OnceLock<Vec<Option<usize>>>,
}

impl Layout {
    pub(super) fn of(fields: &[Field]) -> Self {
        Self { names: fields.iter().map(|field| field.name.clone()).collect(), order: OnceLock::new() }
    }

    /// One value per field; null where none is wanted.
    pub(super) fn cells<R: Serialize>(&self, row: &R, wanted: Wanted<'_>) -> Vec<Value> {
        let cells = vec![Value::Null; self.names.len()];
        let mut cells = Cells { layout: self, wanted, named: Vec::new(), next: 0, column: None, cells };
        // Rows are structs of ours, whose fields JSON can hold.
        if row.serialize(&mut cells).is_err() {
            return Vec::new();
        }
        self.order.get_or_init(|| cells.named);
        cells.cells
    }
}

/// Takes the fields of a struct, flattened ones too, and puts each into its column.
struct Cells<'a> {
    layout: &'a Layout,
    wanted: Wanted<'a>,
    /// Columns as the first row names them.
    named: Vec<Option<usize>>,
    next: usize,
    /// Column of the key that was named last.
    column: Option<usize>,
    cells: Vec<Value>,
}

impl Cells<'_> {
    fn name(&mut self, key: &str) {
        let column = match self.layout.order.get() {
            Some(order) => order.get(self.next).copied().flatten(),
            None => {
                let column = self.layout.names.iter().position(|name| name == key);
                self.named.push(column);
                column
            }
        };
        debug_assert!(column.is_none_or(|column| self.layout.names[column] == key), "{key} comes in another place");
        self.next += 1;
        self.column = column.filter(|column| (self.wanted)(*column));
    }

    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if let Some(column) = self.column {
            self.cells[column] = serde_json::to_value(value)?;
        }
        Ok(())
    }
}

/// Methods of a serializer for what is no row and no key.
macro_rules! refuse {
    ($($method:ident $(<$type:ident>)? ($($argument:ty),*) $(-> $result:ident)?;)*) => {
        $(fn $method $(<$type: Serialize + ?Sized>)? (self $(, _: $argument)*) -> Result<refuse!(@ $($result)?), Error> {
            Err(serde::ser::Error::custom("a row should be a struct"))
        })*
    };
    (@) => { () };
    (@ $result:ident) => { Self::$result };
}

macro_rules! refuse_all_but_structs_and_texts {
    () => {
        type Ok = ();
        type Error = Error;
        type SerializeSeq = Impossible<(), Error>;
        type SerializeTuple = Impossible<(), Error>;
        type SerializeTupleStruct = Impossible<(), Error>;
        type SerializeTupleVariant = Impossible<(), Error>;
        type SerializeStructVariant = Impossible<(), Error>;
        refuse! {
            serialize_bool(bool);
            serialize_i8(i8);
            serialize_i16(i16);
            serialize_i32(i32);
            serialize_i64(i64);
            serialize_u8(u8);
            serialize_u16(u16);
            serialize_u32(u32);
            serialize_u64(u64);
            serialize_f32(f32);
            serialize_f64(f64);
            serialize_char(char);
            serialize_bytes(&[u8]);
            serialize_none();
            serialize_some<T>(&T);
            serialize_unit();
            serialize_unit_struct(&'static str);
            serialize_unit_variant(&'static str, u32, &'static str);
            serialize_newtype_struct<T>(&'static str, &T);
            serialize_newtype_variant<T>(&'static str, u32, &'static str, &T);
            serialize_seq(Option<usize>) -> SerializeSeq;
            serialize_tuple(usize) -> SerializeTuple;
            serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
            serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
            serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
        }
    };
}

impl Serializer for &mut Cells<'_> {
    type SerializeMap = Self;
    type SerializeStruct = Self;
    refuse_all_but_structs_and_texts!();
    refuse! { serialize_str(&str); }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Error> {
        Ok(self)
    }
}

impl SerializeStruct for &mut Cells<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.name(key);
        self.put(value)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

/// A struct with flattened ones in it calls itself a map.
impl SerializeMap for &mut Cells<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        key.serialize(Key(self))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.put(value)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

/// Takes the text of a key.
struct Key<'a, 'b>(&'a mut Cells<'b>);

impl Serializer for Key<'_, '_> {
    type SerializeMap = Impossible<(), Error>;
    type SerializeStruct = Impossible<(), Error>;
    refuse_all_but_structs_and_texts!();
    refuse! {
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct(&'static str, usize) -> SerializeStruct;
    }

    fn serialize_str(self, key: &str) -> Result<(), Error> {
        self.0.name(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::table::FieldType;
    use serde_json::json;

    #[derive(Serialize)]
    struct Inner {
        b: Vec<i32>,
        d: Option<f64>,
    }

    #[derive(Serialize)]
    struct Outer<'a> {
        #[serde(flatten)]
        inner: &'a Inner,
        c: bool,
        a: &'static str,
    }

    #[test]
    fn fields_find_their_columns_and_unwanted_ones_are_none() {
        let field = |name: &str| Field {
            name: name.to_owned(),
            kind: FieldType::Text,
            nullable: true,
            unit: String::new(),
            source: String::new(),
            doc: String::new(),
        };
        let layout = Layout::of(&["a", "b", "c", "d"].map(field));
        let inner = Inner { b: vec![1, 2], d: None };
        let row = Outer { inner: &inner, c: true, a: "x" };
        for _ in 0..2 {
            assert_eq!(layout.cells(&row, &|_| true), [json!("x"), json!([1, 2]), json!(true), json!(null)]);
        }
        assert_eq!(layout.cells(&row, &|column| column == 2), [json!(null), json!(null), json!(true), json!(null)]);
    }
}

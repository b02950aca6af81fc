//! From a result row to a struct, by column name. A missing, unknown or ill-typed column is an error
//! with its name, never a default.

use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use std::borrow::Cow;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

/// Reads one row.
pub(super) fn read<T: DeserializeOwned>(row: &Row) -> Result<T, Error> {
    let cells =
        row.columns().iter().enumerate().map(|(at, column)| Ok((column.name(), cell(row, at, column.type_())?)));
    let cells: Vec<(&str, Cell)> = cells.collect::<Result<_, Error>>()?;
    T::deserialize(MapDeserializer::new(cells.into_iter()))
}

/// A value of one of the types our queries return.
enum Cell {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Cell>),
    Json(serde_json::Value),
    Bytes(Vec<u8>),
}

/// Bytes as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Taken;
        impl Visitor<'_> for Taken {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_byte_buf(Taken).map(Self)
    }
}

/// Text in any encoding: what is not UTF-8, as on SQL_ASCII servers, is replaced and not refused.
struct Lossy(String);

impl<'a> FromSql<'a> for Lossy {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(String::from_utf8_lossy(raw).into_owned()))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::TEXT | Type::VARCHAR | Type::NAME | Type::BPCHAR | Type::UNKNOWN)
    }
}

fn cell(row: &Row, at: usize, ty: &Type) -> Result<Cell, Error> {
    fn get<'a, T: FromSql<'a>>(row: &'a Row, at: usize, wrap: impl Fn(T) -> Cell) -> Result<Cell, Error> {
        let value: Option<T> = row.try_get(at).map_err(Error::custom)?;
        Ok(value.map_or(Cell::Null, wrap))
    }
    match *ty {
        Type::BOOL => get(row, at, Cell::Bool),
        Type::INT2 => get(row, at, |value: i16| Cell::Integer(value.into())),
        Type::INT4 => get(row, at, |value: i32| Cell::Integer(value.into())),
        Type::INT8 => get(row, at, Cell::Integer),
        Type::OID => get(row, at, |value: u32| Cell::Integer(value.into())),
        Type::FLOAT4 => get(row, at, |value: f32| Cell::Float(value.into())),
        Type::FLOAT8 => get(row, at, Cell::Float),
        Type::TIMESTAMPTZ => get(row, at, |value: chrono::DateTime<chrono::Utc>| {
            Cell::Text(value.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
        }),
        Type::TEXT_ARRAY => {
            get(row, at, |values: Vec<Lossy>| Cell::List(values.into_iter().map(|value| Cell::Text(value.0)).collect()))
        }
        Type::INT2_ARRAY => get(row, at, |values: Vec<i16>| {
            Cell::List(values.into_iter().map(|value| Cell::Integer(value.into())).collect())
        }),
        Type::JSON | Type::JSONB => get(row, at, Cell::Json),
        Type::BYTEA => get(row, at, Cell::Bytes),
        Type::INT4_ARRAY => get(row, at, |values: Vec<i32>| {
            Cell::List(values.into_iter().map(|value| Cell::Integer(value.into())).collect())
        }),
        ref other if Lossy::accepts(other) => get(row, at, |value: Lossy| Cell::Text(value.0)),
        ref other => Err(Error::custom(format!("column of type {other} is not read"))),
    }
}

impl IntoDeserializer<'_, Error> for Cell {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> serde::Deserializer<'de> for Cell {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Integer(value) => visitor.visit_i64(value),
            Self::Float(value) => visitor.visit_f64(value),
            Self::Text(value) => visitor.visit_string(value),
            Self::List(values) => visitor.visit_seq(SeqDeserializer::new(values.into_iter())),
            Self::Json(value) => value.deserialize_any(visitor).map_err(Error::custom),
            Self::Bytes(value) => visitor.visit_byte_buf(value),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_none(),
            value => visitor.visit_some(value),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Self::Text(value) => visitor.visit_enum(Cow::<str>::Owned(value).into_deserializer()),
            _ => Err(Error::custom("expected a text")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

//! Partitions cut by time: keys and zones, months and their bounds, what a row of partitions holds and
//! lacks, and how far it reaches.
//!
//! Bounds are truth, names are labels. Pure: the clock is an argument.

mod below;
mod bound;
mod candidate;
mod conversion;
mod creation;
mod demand;
mod fresh;
mod key;
mod layout;
mod month;
mod naming;
mod obstacle;
mod parts;
mod retirement;
mod runway;
mod survey;
mod zone;

pub use bound::{Slice, bounds, slice};
pub use candidate::{Timely, partition_advice, timely};
pub use conversion::{Conversion, Convertible, Splittable, conversion, splitting, wide};
pub use creation::{DefaultTerms, Evidence, Missing, Site, creation};
pub use fresh::{Order, after, described};
pub use key::{Key, Unit};
pub use layout::{Layout, Part};
pub use month::Month;
pub use naming::Naming;
pub use obstacle::allowances;
pub use parts::Parts;
pub use retirement::{Keep, Leaving, Overdue, Quarantined, overdue, retirement};
pub use runway::{Runway, runway};
pub use survey::{Tables, by_table, session_zone, survey, surveyed, weights};
pub use zone::{Zone, zones};

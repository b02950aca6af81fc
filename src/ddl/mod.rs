//! From findings to a plan: which changes, in which order, as which SQL, under which locks, at what
//! price, and how each is taken back. And the judgement of a catalog against a change: to do, half
//! done, done, or somebody else's.
//!
//! Writes SQL and runs none. Must not know servers, files or the clock.

mod adoption;
mod blueprint;
mod estimate;
mod naming;
mod partition;
mod preflight;
mod propose;
mod quote;
mod retire;
mod script;
mod sound;
mod split;
mod sql;
mod state;
mod wanted;

pub use adoption::{check, drop_check, prove};
pub use blueprint::fresh;
pub use naming::MAX_NAME_BYTES;
pub use partition::strayed;
pub use preflight::{Limits, Preflight, Site, behind, holder_text, preflight};
pub use propose::{DEFINITION, KEEPER, Wish, propose};
pub use quote::{literal, qualified, quoted};
pub use retire::finalize;
pub use script::script;
pub use sound::sound;
pub use sql::{
    attach, create_concurrently, create_parent, drop_concurrently, drop_parent, inverse, leaf_form, reindex,
    statements, trimmings,
};
pub use state::{Half, State, state, twin};
pub use wanted::{Draftsman, Drawing, Wanted, creations, target};

//! Names of objects as clients see them: random, so that knowing one tells nothing of another.

use std::fmt;
use std::sync::Arc;

use rand::RngExt;
use serde::{Serialize, Serializer};
use sfu_core::ObjectId;

/// A fresh name.
pub(crate) fn fresh() -> ObjectId {
    ObjectId(rand::rng().random())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<ObjectId> for $name {
            fn from(id: ObjectId) -> Self {
                Self(id.to_string().into())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

id!(
    /// Name of a router.
    RouterId
);
id!(
    /// Name of a transport.
    TransportId
);
id!(
    /// Name of a producer.
    ProducerId
);
id!(
    /// Name of a consumer.
    ConsumerId
);

//! The span kind, as `tracing-opentelemetry` reads it from a field.

use std::fmt::Debug;

use tracing::field::{Field, Visit};
use tracing::span::Attributes;

const KIND: &str = "otel.kind";

/// Whether a span is of kind CLIENT or PRODUCER: it stands for the peer.
pub(crate) fn is_call(attributes: &Attributes<'_>) -> bool {
    if attributes.metadata().fields().field(KIND).is_none() {
        return false;
    }
    let mut found = Found(false);
    attributes.record(&mut found);
    found.0
}

struct Found(bool);

impl Found {
    fn read(&mut self, kind: &str) {
        self.0 = kind.eq_ignore_ascii_case("client") || kind.eq_ignore_ascii_case("producer");
    }
}

impl Visit for Found {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == KIND {
            self.read(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == KIND {
            self.read(&format!("{value:?}"));
        }
    }
}

use std::time::{Duration, SystemTime};

use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// The last hand on spans before they leave: stamps them as a host whose clock is off would, and takes this
/// machine's folders out of source locations, because recordings are kept.
#[derive(Debug)]
pub struct OutgoingExporter<E> {
    inner: E,
    skew_ns: i64,
}

impl<E> OutgoingExporter<E> {
    pub fn new(inner: E, skew_ns: i64) -> Self {
        Self { inner, skew_ns }
    }

    fn shift(&self, time: &mut SystemTime) {
        let by = Duration::from_nanos(self.skew_ns.unsigned_abs());
        let shifted = if self.skew_ns < 0 {
            time.checked_sub(by)
        } else {
            time.checked_add(by)
        };
        *time = shifted.unwrap_or(*time);
    }

    fn touch(&self, span: &mut SpanData) {
        shorten_locations(&mut span.attributes);
        for event in &mut span.events.events {
            shorten_locations(&mut event.attributes);
        }
        if self.skew_ns == 0 {
            return;
        }
        self.shift(&mut span.start_time);
        self.shift(&mut span.end_time);
        for event in &mut span.events.events {
            self.shift(&mut event.timestamp);
        }
    }
}

fn shorten_locations(attributes: &mut [KeyValue]) {
    let locations = attributes
        .iter_mut()
        .filter(|attribute| attribute.key.as_str() == "code.file.path");
    for location in locations {
        if let Some(short) = shortened(location.value.as_str().as_ref()) {
            location.value = Value::String(short.into());
        }
    }
}

/// `<home>/registry/src/<index>/sqlx-core-0.9.0/src/x.rs` without what stands before the crate.
fn shortened(path: &str) -> Option<String> {
    let (_, in_registry) = path.split_once("/registry/src/")?;
    let (_, in_crates) = in_registry.split_once('/')?;
    Some(in_crates.to_owned())
}

impl<E: SpanExporter> SpanExporter for OutgoingExporter<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().for_each(|span| self.touch(span));
        self.inner.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_in_the_registry_begins_with_its_crate() {
        let path = "/home/me/.cargo/registry/src/index-1949cf8c6b5b557f/sqlx-core-0.9.0/src/a.rs";
        assert_eq!(shortened(path).unwrap(), "sqlx-core-0.9.0/src/a.rs");
        assert_eq!(shortened("pricing/src/main.rs"), None);
    }
}

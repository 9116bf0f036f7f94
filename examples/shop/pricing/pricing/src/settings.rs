use std::env;
use std::str::FromStr;

use crate::Failure;

/// How much the service tells about itself; each level includes the former.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Spans as the libraries emit them.
    Default,
    /// Runtime metrics and spans around pool waits.
    Waits,
    /// The companion library's attributes.
    Companion,
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "default" => Ok(Self::Default),
            "waits" => Ok(Self::Waits),
            "companion" => Ok(Self::Companion),
            other => Err(format!("no such level: {other}")),
        }
    }
}

#[derive(Debug)]
pub struct Settings {
    pub listen: String,
    pub control: String,
    pub upstream: String,
    pub level: Level,
    pub connections: u32,
}

impl Settings {
    pub fn from_environment() -> Result<Self, Failure> {
        let settings = Self {
            listen: variable("SHOP_LISTEN", "127.0.0.1:0".into())?,
            control: variable("SHOP_CONTROL", "127.0.0.1:0".into())?,
            upstream: variable("SHOP_UPSTREAM", "127.0.0.1:0".into())?,
            level: variable("SHOP_LEVEL", Level::Default)?,
            connections: variable("SHOP_CONNECTIONS", 4)?,
        };
        if settings.connections == 0 {
            return Err("SHOP_CONNECTIONS must be at least 1".into());
        }
        if settings.level == Level::Companion && !cfg!(feature = "companion") {
            return Err("SHOP_LEVEL=companion needs a build with --features companion".into());
        }
        Ok(settings)
    }
}

fn variable<T>(name: &str, otherwise: T) -> Result<T, Failure>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    match env::var(name) {
        Ok(text) => text
            .parse()
            .map_err(|error| format!("{name}={text:?}: {error}").into()),
        Err(env::VarError::NotPresent) => Ok(otherwise),
        Err(error) => Err(format!("{name}: {error}").into()),
    }
}

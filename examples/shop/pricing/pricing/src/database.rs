use std::time::Duration;

use log::LevelFilter;
use sqlx::Sqlite;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use tracing::{Instrument, info_span};

use crate::observe;
use crate::settings::{Level, Settings};

const ITEMS: u32 = 100;

/// A pool of connections to databases in memory, one each, all with the same rows.
#[derive(Clone)]
pub struct Database {
    pool: SqlitePool,
    connections: u32,
    acquire_spans: bool,
}

impl Database {
    pub async fn open(settings: &Settings) -> Result<Self, sqlx::Error> {
        let tells_waits = settings.level >= Level::Waits;
        let pool = SqlitePoolOptions::new()
            .acquire_time_level(if tells_waits {
                LevelFilter::Info
            } else {
                LevelFilter::Off
            })
            .max_connections(settings.connections)
            .min_connections(settings.connections)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(SCHEMA).execute(connection).await?;
                    Ok(())
                })
            })
            // Unlike the address "sqlite::memory:", this gives each connection a database of its own.
            .connect_with(SqliteConnectOptions::new())
            .await?;
        Ok(Self {
            pool,
            connections: settings.connections,
            acquire_spans: tells_waits,
        })
    }

    pub async fn acquire(&self) -> Result<PoolConnection<Sqlite>, sqlx::Error> {
        let acquire = observe::pool_wait(self.pool.acquire());
        if self.acquire_spans {
            let span = info_span!("pool.acquire");
            observe::body(acquire).instrument(span).await
        } else {
            acquire.await
        }
    }

    pub async fn average_cents(
        connection: &mut PoolConnection<Sqlite>,
        item: u32,
    ) -> Result<i64, sqlx::Error> {
        let span = info_span!(
            "select",
            otel.name = "SELECT prices",
            otel.kind = "client",
            db.system.name = "sqlite",
            db.operation.name = "SELECT",
            db.collection.name = "prices",
        );
        let query =
            sqlx::query_scalar("SELECT CAST(AVG(cents) AS INTEGER) FROM prices WHERE item = ?")
                .bind(i64::from(item % ITEMS))
                .fetch_one(&mut **connection);
        observe::body(query).instrument(span).await
    }

    /// Takes every connection and keeps them for a while.
    pub async fn hold_all(&self, time: Duration) {
        let mut held = Vec::new();
        for _ in 0..self.connections {
            held.push(self.pool.acquire().await);
        }
        tokio::time::sleep(time).await;
    }
}

/// 100 items with 40 prices each, unindexed, so that a look-up reads all rows.
const SCHEMA: &str = "
CREATE TABLE prices (item INTEGER NOT NULL, cents INTEGER NOT NULL);
WITH RECURSIVE row(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM row WHERE n + 1 < 4000)
INSERT INTO prices SELECT n % 100, 500 + (n * 7919) % 4500 FROM row;
";

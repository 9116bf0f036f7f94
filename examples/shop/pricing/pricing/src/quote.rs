use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info_span, instrument};

use crate::Failure;
use crate::causes::{Cause, Causes};
use crate::database::Database;
use crate::dice::{between, chance};
use crate::observe;
use crate::upstream::RateClient;
use crate::work;

/// Shares of requests in an episode that do the extra work themselves, in percent. Few compute or allocate: everybody's wait for
/// the two workers would be the cause.
const BURN_SHARE: u64 = 5;
const ALLOCATOR_SHARE: u64 = 10;
const SLEEP_SHARE: u64 = 50;
const STALL_SHARE: u64 = 50;
/// Requests whose audit record is written after the answer.
const AUDITED_SHARE: u64 = 10;

pub struct Shop {
    database: Database,
    pub causes: Arc<Causes>,
    rates: RateClient,
}

pub struct Order {
    pub item: u32,
    pub quantity: i64,
}

impl Shop {
    pub fn new(
        database: Database,
        causes: Arc<Causes>,
        upstream: SocketAddr,
    ) -> Result<Self, Failure> {
        Ok(Self {
            database,
            causes,
            rates: RateClient::new(upstream)?,
        })
    }

    #[instrument(skip_all, fields(item = i64::from(order.item), quantity = order.quantity))]
    pub async fn quote(&self, order: &Order) -> Result<i64, Failure> {
        observe::body(async {
            let quantity = order.quantity;
            let discount = observe::spawn(info_span!("discount"), async move {
                discount_per_mille(quantity)
            });
            if chance(STALL_SHARE) {
                self.causes.stall_workers();
            }
            let cents = self.list_price(order.item).await?;
            if self.causes.is_on(Cause::Sleep) && chance(SLEEP_SHARE) {
                observe::sleep(Duration::from_millis(between(30, 80))).await;
            }
            let rate = self.rates.per_mille().await?;
            let total = self.total(cents * quantity, rate - discount.await?);
            if chance(AUDITED_SHARE) {
                drop(observe::spawn(info_span!("audit"), audit()));
            }
            Ok(total)
        })
        .await
    }

    #[instrument(skip_all)]
    async fn list_price(&self, item: u32) -> Result<i64, Failure> {
        observe::body(async {
            let mut connection = self.database.acquire().await?;
            Ok(Database::average_cents(&mut connection, item).await?)
        })
        .await
    }

    #[instrument(skip_all)]
    fn total(&self, cents: i64, per_mille: i64) -> i64 {
        work::burn(Duration::from_micros(between(100, 400)));
        if self.causes.is_on(Cause::Burn) && chance(BURN_SHARE) {
            work::burn(Duration::from_millis(between(12, 30)));
        }
        if self.causes.is_on(Cause::Allocator) && chance(ALLOCATOR_SHARE) {
            work::allocate(Duration::from_millis(between(12, 30)));
        }
        cents * per_mille / 1_000
    }
}

fn discount_per_mille(quantity: i64) -> i64 {
    work::burn(Duration::from_micros(between(50, 200)));
    (quantity / 10).min(100)
}

/// Ends after the request's own span.
async fn audit() {
    observe::sleep(Duration::from_millis(2)).await;
    work::burn(Duration::from_micros(50));
}

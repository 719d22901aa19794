//! `GET /api/dashboard`: the parked polls, the runners with a run, and the recent offers
//! (`docs/protocols/dashboard-data.md`). `DELETE` clears the history of offers.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use pilotlight_core::limits::HISTORY_PAGE_SIZE;
use pilotlight_core::time::{Moment, millis};
use pilotlight_wire::dashboard::{ClearResponse, Config, Dashboard, PageQuery, Pagination, WarmStartStats};

use super::convert;
use super::error::{ApiError, json};
use super::router::{ConnectTimeouts, HttpState};
use crate::dispatch::dispatcher::MatchingView;

/// `GET /api/dashboard`
pub async fn read(
    State(state): State<Arc<HttpState>>,
    page: Result<Query<PageQuery>, QueryRejection>,
) -> Response {
    let Ok(Query(page)) = page else {
        return ApiError::bad_request("page and limit must be whole numbers from 1").into_response();
    };
    let now = state.clock.now();
    let dashboard = state.dispatcher.read(|view| dashboard(&state, &view, page, now));
    json(StatusCode::OK, &dashboard)
}

/// `DELETE /api/dashboard`
pub async fn clear(State(state): State<Arc<HttpState>>) -> Response {
    state.dispatcher.clear_history();
    json(StatusCode::OK, &ClearResponse { success: true })
}

fn dashboard(state: &HttpState, view: &MatchingView<'_>, page: PageQuery, now: Moment) -> Dashboard {
    let clock = state.clock;
    let history = view.history();
    let pagination = pagination(page, history.len() as u64);
    let skip = (pagination.page - 1).saturating_mul(pagination.limit);
    let records = history
        .newest_first()
        .skip(convert::saturating_usize(skip))
        .take(convert::saturating_usize(pagination.limit));
    Dashboard {
        runners: view.polls().map(|poll| convert::waiting_runner(&poll, now, clock)).collect(),
        executing_runners: view
            .active_runs()
            .iter()
            .map(|run| convert::executing_runner(run, now, clock))
            .collect(),
        recent_matches: records.map(|record| convert::offer_summary(record, clock)).collect(),
        pagination,
        config: config(state.connect_timeouts, state.listen_address),
        stats: stats(view),
        timestamp: clock.epoch_ms(now),
    }
}

fn pagination(page: PageQuery, total: u64) -> Pagination {
    let limit = page.limit.unwrap_or(HISTORY_PAGE_SIZE as u64).clamp(1, HISTORY_PAGE_SIZE as u64);
    let page = page.page.unwrap_or(1).max(1);
    let total_pages = total.div_ceil(limit);
    Pagination {
        page,
        limit,
        total_matches: total,
        total_pages,
        has_next_page: page < total_pages,
        has_prev_page: page > 1,
    }
}

/// The settings that the dashboard shows.
pub(super) fn config(connect_timeouts: ConnectTimeouts, listen_address: SocketAddr) -> Config {
    Config {
        connection_timeout_ms: millis(connect_timeouts.connection_timeout),
        keepalive_ms: millis(connect_timeouts.keepalive),
        port: listen_address.port(),
        host: listen_address.ip().to_string(),
    }
}

/// The counts of polls, runs and offers.
pub(super) fn stats(view: &MatchingView<'_>) -> WarmStartStats {
    let totals = view.history().totals();
    WarmStartStats {
        total_runners: view.parked_count(),
        total_executing_runners: view.active_runs().len(),
        total_deployments: view.deployment_count(),
        recent_matches_count: view.history().len(),
        warm_starts: totals.warm,
        cold_starts: totals.cold,
        total_matches: totals.warm + totals.cold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_numbers_are_clamped_and_neighbour_pages_are_reported() {
        let cases = [
            (None, None, 250, (1, 100, 3, true, false)),
            (Some(3), Some(100), 250, (3, 100, 3, false, true)),
            (Some(0), Some(0), 5, (1, 1, 5, true, false)),
            (Some(u64::MAX), Some(1000), 0, (u64::MAX, 100, 0, false, true)),
        ];
        for (page, limit, total, expected) in cases {
            let got = pagination(PageQuery { page, limit }, total);
            let got = (got.page, got.limit, got.total_pages, got.has_next_page, got.has_prev_page);
            assert_eq!(got, expected);
        }
    }
}

//! `GET /api/dashboard`: the parked polls, the runners with a run, and the recent offers
//! (`docs/protocols/operators.md`). `DELETE` clears the history of offers.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use pilotlight_core::limits::HISTORY_PAGE_SIZE;
use pilotlight_core::time::Moment;
use pilotlight_wire::dashboard::{ClearResponse, Dashboard, PageQuery, Pagination, WarmStartStats};

use crate::http::error::{ApiError, json};
use crate::http::headers;
use crate::warm_start::dispatcher::MatchingView;
use crate::warm_start::http::{WarmStartState, convert};

/// `GET /api/dashboard`
pub(crate) async fn read(
    State(state): State<Arc<WarmStartState>>,
    page: Result<Query<PageQuery>, QueryRejection>,
) -> Response {
    let Ok(Query(page)) = page else {
        return ApiError::bad_request("page and limit must be whole numbers from 1").into_response();
    };
    let now = state.edge.clock.now();
    let dashboard = state.dispatcher.read(|view| dashboard(&state, &view, page, now));
    json(StatusCode::OK, &dashboard)
}

/// `DELETE /api/dashboard`
pub(crate) async fn clear(State(state): State<Arc<WarmStartState>>) -> Response {
    state.dispatcher.clear_history();
    json(StatusCode::OK, &ClearResponse { success: true })
}

fn dashboard(state: &WarmStartState, view: &MatchingView<'_>, page: PageQuery, now: Moment) -> Dashboard {
    let clock = state.edge.clock;
    let history = view.history();
    let pagination = pagination(page, history.len() as u64);
    let skip = (pagination.page - 1).saturating_mul(pagination.limit);
    let records = history
        .newest_first()
        .skip(headers::saturating_usize(skip))
        .take(headers::saturating_usize(pagination.limit));
    Dashboard {
        runners: view.polls().map(|poll| convert::waiting_runner(&poll, now, clock)).collect(),
        executing_runners: view
            .active_runs()
            .iter()
            .map(|run| convert::executing_runner(run, now, clock))
            .collect(),
        recent_matches: records.map(|record| convert::offer_summary(record, clock)).collect(),
        pagination,
        config: state.shown_settings.clone(),
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

/// The counts of polls, runs and offers.
pub(crate) fn stats(view: &MatchingView<'_>) -> WarmStartStats {
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

//! Builds the router of a listener from the routes of the capabilities.

use std::sync::Arc;

use axum::{Router, middleware};
use pilotlight_core::access::Scopes;

use crate::http::access::{RouteGuard, guard};
use crate::http::cors::{CorsPaths, cors};
use crate::http::edge::Edge;
use crate::http::error;
use crate::http::route::Route;

/// The router of these routes: each behind its guard, and with CORS where keys are configured.
pub(crate) fn router(edge: &Arc<Edge>, routes: &[&Route]) -> Router {
    let cors_paths = CorsPaths::of(routes.iter().copied());
    let mut router = Router::new();
    for route in routes {
        let route_guard = RouteGuard::new(edge, route);
        let methods = route.methods.clone().layer(middleware::from_fn_with_state(route_guard, guard));
        router = router.route(&route.path, methods);
    }
    let router =
        router.fallback(error::path_not_found).method_not_allowed_fallback(error::method_not_allowed);
    if edge.auth.keys() == Scopes::NONE {
        return router;
    }
    router.layer(middleware::from_fn_with_state(Arc::new(cors_paths), cors))
}

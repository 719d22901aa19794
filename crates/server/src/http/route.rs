//! A route as a value: path, handler, the permission and the limits that it needs, where it is served, and its part of
//! the OpenAPI document. The router, the guard, CORS and the document are computed from these values.

use std::fmt;

use axum::routing::MethodRouter;
use pilotlight_core::access::Permission;
use pilotlight_core::rate_limit::RateClass;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::{RefOr, Schema};
use utoipa_axum::router::UtoipaMethodRouter;

/// One path with the handlers of its methods. `S` is the state that the handlers still need.
pub(crate) struct Route<S = ()> {
    pub(crate) path: String,
    pub(crate) methods: MethodRouter<S>,
    pub(crate) permission: Permission,
    pub(crate) checked_by: CheckedBy,
    /// The rate class that requests count in; `None` for a route without a rate limit.
    pub(crate) rate_class: Option<RateClass>,
    /// Maximum size of a request body in bytes; 0 where the handler reads none.
    pub(crate) body_bytes: usize,
    pub(crate) audience: Audience,
    pub(crate) origins: Origins,
    /// Its part of the OpenAPI document; `None` for a path that is not a part of the documented API.
    pub(crate) operation: Option<Operation>,
}

/// Who checks the permission of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckedBy {
    /// The guard, before the handler is called.
    Guard,
    /// The handler, because a refusal needs a response of its own kind.
    Handler,
}

/// Who calls a route. It decides which listener serves it when operators have a listener of their own
/// (`server.control`). Without one, the main listener serves all routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Clients, runners and operators: served by both listeners.
    Everyone,
    /// Clients and runners: served by the main listener.
    Clients,
    /// Clients, and the dashboard page: also served to operators where the dashboard is served.
    ClientsAndPage,
    /// Operators: served by the operators' listener.
    Operators,
    /// The dashboard page, for data of another capability: served to operators where the dashboard is served.
    Page,
}

/// The operations of one path in the OpenAPI document, as the handlers' annotations describe them.
#[derive(Clone)]
pub(crate) struct Operation {
    pub(crate) item: PathItem,
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// A route that is not a part of the documented API.
    pub(crate) fn new(path: &str, methods: MethodRouter<S>, permission: Permission) -> Self {
        Self {
            path: path.to_owned(),
            methods,
            permission,
            checked_by: CheckedBy::Guard,
            rate_class: None,
            body_bytes: 0,
            audience: Audience::Clients,
            origins: Origins::Own,
            operation: None,
        }
    }

    /// A route of the documented API: path and method come from the handler's `utoipa::path` annotation.
    ///
    /// # Panics
    /// When the handlers have annotations with different paths.
    pub(crate) fn documented(handlers: UtoipaMethodRouter<S>, permission: Permission) -> Self {
        let (schemas, paths, methods) = handlers;
        let mut paths = paths.paths.into_iter();
        let (Some((path, item)), None) = (paths.next(), paths.next()) else {
            panic!("the handlers of a route have one path");
        };
        Self { operation: Some(Operation { item, schemas }), ..Self::new(&path, methods, permission) }
    }

    /// Limits the rate of requests.
    pub(crate) fn rate(self, rate_class: RateClass) -> Self {
        Self { rate_class: Some(rate_class), ..self }
    }

    /// The handler reads a request body of at most this many bytes.
    pub(crate) fn body(self, body_bytes: usize) -> Self {
        Self { body_bytes, ..self }
    }

    /// Names who calls the route; [`Audience::Clients`] when it is not named.
    pub(crate) fn audience(self, audience: Audience) -> Self {
        Self { audience, ..self }
    }

    /// Where keys are configured, pages of any origin may call the route: such a page has only the rights of its key.
    pub(crate) fn any_origin(self) -> Self {
        Self { origins: Origins::Any, ..self }
    }

    /// The handler itself checks the permission.
    pub(crate) fn checked_by_handler(self) -> Self {
        Self { checked_by: CheckedBy::Handler, ..self }
    }

    /// The same route with the state that its handlers need.
    pub(crate) fn with_state(self, state: S) -> Route {
        let Self { path, methods, permission, checked_by, rate_class, body_bytes, .. } = self;
        let (audience, origins, operation) = (self.audience, self.origins, self.operation);
        let methods = methods.with_state(state);
        Route { path, methods, permission, checked_by, rate_class, body_bytes, audience, origins, operation }
    }
}

impl<S> fmt::Debug for Route<S> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, permission, rate_class, body_bytes, audience, .. } = self;
        write!(out, "Route({path}, {permission:?}, {rate_class:?}, {body_bytes} bytes, {audience:?})")
    }
}

/// Which web pages may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origins {
    /// The service's own page.
    Own,
    /// Pages of any origin (CORS), where keys are configured.
    Any,
}

impl Audience {
    /// Whether the main listener serves the route, beside a listener for operators.
    pub(crate) const fn is_client(self) -> bool {
        matches!(self, Self::Everyone | Self::Clients | Self::ClientsAndPage)
    }

    /// Whether operators get the route.
    pub(crate) const fn is_operator(self, page: PageServed) -> bool {
        match self {
            Self::Everyone | Self::Operators => true,
            Self::ClientsAndPage | Self::Page => matches!(page, PageServed::Yes),
            Self::Clients => false,
        }
    }
}

/// Whether the process serves the dashboard page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageServed {
    Yes,
    No,
}

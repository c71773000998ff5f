//! What a served API asks for and does not get. Reported, not refused: nothing is served wrongly because of it.

use std::fmt;

/// Something that a definition asks for and this gateway does not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limitation {
    /// Endpoints are not probed; they count as up.
    HealthCheck {
        /// JSON path within the definition.
        at: String,
    },
    /// A health check is not understood and left out, as the original does.
    HealthCheckLeftOut {
        /// JSON path within the definition.
        at: String,
    },
    /// Requests are not logged.
    Logging,
    /// Requests are not traced.
    Tracing,
    /// An endpoint cannot be used and is left out, as the original does.
    EndpointLeftOut {
        /// JSON path within the definition.
        at: String,
        /// Why.
        because: LeftOut,
    },
}

/// Why an endpoint is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// It has no target.
    NoTarget,
    /// Its (shared) configuration is not a JSON object of the expected form.
    Configuration,
}

impl fmt::Display for Limitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HealthCheck { at } => {
                write!(f, "{at}: health checks are not run, the endpoints count as up")
            }
            Self::HealthCheckLeftOut { at } => {
                write!(f, "{at}: the health check is not understood and left out, the endpoints count as up")
            }
            Self::Logging => f.write_str("requests are not logged"),
            Self::Tracing => f.write_str("requests are not traced"),
            Self::EndpointLeftOut { at, because } => {
                let because = match because {
                    LeftOut::NoTarget => "it has no target",
                    LeftOut::Configuration => "its configuration is not an object of the expected form",
                };
                write!(f, "{at}: the endpoint is left out because {because}")
            }
        }
    }
}

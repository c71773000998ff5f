//! The requests that the demo's clients send, and what they must be answered with.
//!
//! Each question is one kind of request: a path, perhaps a host, perhaps a key. Its right answer changes only where the
//! story changes something; everything else must be answered the same from the first to the last second.

use super::catalogue::key;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    /// Path, without a query.
    pub(crate) path: &'static str,
    /// `Host`, where it is not the gateway's address.
    pub(crate) host: Option<&'static str>,
    /// The API key, if one is sent.
    pub(crate) key: Option<&'static str>,
}

macro_rules! questions {
    ($($name:ident: $status:literal, $path:literal, $host:expr, $key:expr;)*) => {
        /// A kind of request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Question { $($name),* }

        impl Question {
            /// All of them.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What is sent.
            pub(crate) const fn route(self) -> Route {
                match self { $(Self::$name => Route { path: $path, host: $host, key: $key }),* }
            }

            /// The right status before the story changes anything.
            pub(crate) const fn first_status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }
        }
    };
}

questions! {
    // V4
    Orders: 200, "/shop/orders", None, None;
    OrdersWithKey: 200, "/shop/orders/42", None, Some(key::WEB_SHOP);
    OrdersWithWrongKey: 401, "/shop/orders", None, Some(key::NOBODY);
    Payments: 200, "/shop/payments", None, Some(key::WEB_SHOP);
    PaymentsWithoutKey: 401, "/shop/payments", None, None;
    PaymentsWithForeignKey: 401, "/shop/payments", None, Some(key::KIOSK);
    Catalogue: 200, "/shop/catalogue/tea", None, None;
    Stock: 200, "/warehouse/stock", None, Some(key::BACK_OFFICE);
    StockWithTabletKey: 200, "/warehouse/stock/shelf-7", None, Some(key::TABLET);
    Shipping: 200, "/warehouse/shipping", None, None;
    Weather: 200, "/weather/today", None, None;
    Portal: 200, "/portal", Some("partners.demo.example"), Some(key::ACME);
    PortalOnOtherHost: 404, "/portal", None, Some(key::ACME);
    ServiceStatus: 200, "/status", Some("status.demo.example"), None;
    Invoices: 200, "/finance/invoices", None, Some(key::BACK_OFFICE);
    Returns: 404, "/shop/returns", None, Some(key::WEB_SHOP);
    // V2
    Customers: 200, "/crm/customers", None, Some(key::BACK_OFFICE);
    CustomersWithCallCentreKey: 200, "/crm/customers/7", None, Some(key::CALL_CENTRE);
    Newsletter: 200, "/crm/newsletter", None, None;
    NewsletterArchive: 200, "/crm/newsletter-archive", None, None;
    Rates: 200, "/finance/rates", None, None;
    Timetable: 200, "/timetable", Some("travel.demo.example"), None;
    Loyalty: 200, "/crm/loyalty", None, Some(key::WEB_SHOP);
    LoyaltyWithKioskKey: 200, "/crm/loyalty/points", None, Some(key::KIOSK);
    // Refused
    Broken: 404, "/broken", None, None;
    FaxBridge: 404, "/fax", None, None;
}

impl Question {
    /// What is asked, for people.
    pub(crate) fn text(self) -> String {
        let Route { path, host, key } = self.route();
        let host = host.map(|host| format!("{host}:")).unwrap_or_default();
        let key = key.map(|key| format!(" with {key}")).unwrap_or_default();
        format!("{host}{path}{key}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_its_own_index() {
        for (index, question) in Question::ALL.iter().enumerate() {
            assert_eq!(*question as usize, index);
        }
    }
}

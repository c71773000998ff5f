//! One call of the machine, made on the real store or repository. Each ends with exactly one final answer.

use std::sync::Arc;

use tokio::sync::mpsc;
use zonegate_model::Row;
use zonegate_sync::port::{
    ChangeSink, IndexSink, Indexed, RepositoryError, RepositoryFailure, RepositoryReader, RowSink,
    StampedChange, Stopped, StoreError, StoreFailure, ZoneStore,
};
use zonegate_sync::{CallId, Input, RepositoryReply, RepositoryRequest, StoreReply, StoreRequest};

/// Makes a call to the store. Short answers go to `control`, rows and the end of reads to `bulk`, in order.
pub(super) async fn store<S: ZoneStore>(
    store: Option<Arc<S>>,
    call: CallId,
    request: StoreRequest,
    control: mpsc::Sender<Input>,
    bulk: mpsc::Sender<Input>,
) {
    let Some(store) = store else {
        // Not reached: a machine without a zone makes no calls to a store.
        let failure = StoreFailure::Unreachable;
        let error = StoreError { failure, message: "this gateway has no zone store".to_owned() };
        let _ = control.send(Input::Store { call, reply: StoreReply::Manifest(Err(error)) }).await;
        return;
    };
    let reply = match request {
        StoreRequest::Acquire(request) => StoreReply::Acquired(store.acquire(request).await),
        StoreRequest::Renew { node, grant, time_to_live } => {
            StoreReply::Renewed(store.renew(node, grant, time_to_live).await)
        }
        StoreRequest::Release { node, grant } => StoreReply::Released(store.release(node, grant).await),
        StoreRequest::Write(batch) => StoreReply::Written(store.write(*batch).await),
        StoreRequest::RecordSynced { node, grant, expected, synced } => {
            StoreReply::Written(store.record_synced(node, grant, expected, synced).await)
        }
        StoreRequest::Manifest => {
            StoreReply::Manifest(store.manifest().await.map(|manifest| manifest.map(Box::new)))
        }
        StoreRequest::ApimState => StoreReply::ApimState(store.apim_state().await),
        StoreRequest::Follow { after, wait } => StoreReply::Followed(store.follow(after, wait).await),
        StoreRequest::Heartbeat(member) => StoreReply::Members(store.heartbeat(*member).await),
        StoreRequest::Read(method) => {
            let mut sink = Rows { call, bulk: bulk.clone() };
            let done = store.read(method, &mut sink).await;
            let _ = bulk.send(Input::Store { call, reply: StoreReply::ReadDone(done) }).await;
            return;
        }
        StoreRequest::ReadSince(from) => {
            let mut sink = Rows { call, bulk: bulk.clone() };
            let done = store.read_since(from, &mut sink).await;
            let _ = bulk.send(Input::Store { call, reply: StoreReply::ReadDone(done) }).await;
            return;
        }
    };
    // The receiver is gone only when the driver is, and then nobody needs the answer.
    let _ = control.send(Input::Store { call, reply }).await;
}

/// Makes a read of the repository.
pub(super) async fn repository<R: RepositoryReader>(
    repository: Option<Arc<R>>,
    call: CallId,
    request: RepositoryRequest,
    bulk: mpsc::Sender<Input>,
) {
    let mut sink = Changes { call, bulk: bulk.clone() };
    let done = match (repository, request) {
        (Some(repository), RepositoryRequest::ReadAll) => repository.read_all(&mut sink).await,
        (Some(repository), RepositoryRequest::ReadChanges(window)) => {
            repository.read_changes(window, &mut sink).await
        }
        (Some(repository), RepositoryRequest::ReadIndex) => {
            repository.read_index(&mut Index { call, bulk: bulk.clone() }).await
        }
        (Some(repository), RepositoryRequest::ReadParts(units)) => {
            repository.read_parts(units, &mut sink).await
        }
        (Some(repository), RepositoryRequest::Watch) => {
            let watched = RepositoryReply::Watched(repository.watch().await);
            let _ = bulk.send(Input::Repository { call, reply: watched }).await;
            return;
        }
        (None, _) => Err(RepositoryError {
            failure: RepositoryFailure::Unreachable,
            message:
                "no management repository is configured (`management.*`), but this gateway has to read one"
                    .to_owned(),
        }),
    };
    let _ = bulk.send(Input::Repository { call, reply: RepositoryReply::Done(done) }).await;
}

struct Rows {
    call: CallId,
    bulk: mpsc::Sender<Input>,
}

impl RowSink for Rows {
    async fn push(&mut self, rows: Vec<Row>) -> Result<(), Stopped> {
        let input = Input::Store { call: self.call, reply: StoreReply::Rows(rows) };
        self.bulk.send(input).await.map_err(|_| Stopped)
    }
}

struct Changes {
    call: CallId,
    bulk: mpsc::Sender<Input>,
}

struct Index {
    call: CallId,
    bulk: mpsc::Sender<Input>,
}

impl IndexSink for Index {
    async fn push(&mut self, indexed: Vec<Indexed>) -> Result<(), Stopped> {
        let input = Input::Repository { call: self.call, reply: RepositoryReply::Index(indexed) };
        self.bulk.send(input).await.map_err(|_| Stopped)
    }
}

impl ChangeSink for Changes {
    async fn push(&mut self, changes: Vec<StampedChange>) -> Result<(), Stopped> {
        let input = Input::Repository { call: self.call, reply: RepositoryReply::Changes(changes) };
        self.bulk.send(input).await.map_err(|_| Stopped)
    }
}

//! What well-behaved clients do not send.

use std::future::Future;

use proto::limits::{ATTACHMENTS, LEASES, MESSAGE, REQUEST, SLOTS};
use proto::wire::job_service_client::JobServiceClient;
use proto::wire::submit_job_request::Piece;
use proto::wire::task_report::Outcome;
use proto::wire::work_service_client::WorkServiceClient;
use proto::wire::{
    AttachmentChunk, LeaseRef, LeaseTasksRequest, RenewLeasesRequest, ReportTasksRequest, SubmitHeader,
    SubmitJobRequest, TaskDone, TaskReport,
};
use serde_json::json;
use tests::{Coordinator, World};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::Guarded;

fn blocking<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn open(coordinator: &Coordinator) -> Channel {
    Endpoint::from_shared(coordinator.url.clone()).unwrap().connect().await.unwrap()
}

async fn secured(guarded: &Guarded) -> Channel {
    let read = |path: &str| std::fs::read(path).unwrap();
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read(&guarded.authority.file)))
        .identity(Identity::from_pem(read(&guarded.client.cert), read(&guarded.client.key)));
    let endpoint = Endpoint::from_shared(guarded.coordinator.url.clone()).unwrap().tls_config(tls).unwrap();
    endpoint.connect().await.unwrap()
}

fn of_one_line<T>(what: &str, answer: Result<T, Status>, code: Code, word: &str) {
    let Err(status) = answer else { panic!("{what}: it is taken") };
    assert_eq!(status.code(), code, "{what}: {status}");
    assert!(status.message().contains(word) && !status.message().contains('\n'), "{what}: {}", status.message());
}

fn header(request_json: String) -> SubmitJobRequest {
    SubmitJobRequest { piece: Some(Piece::Header(SubmitHeader { request_json, priority: 0 })) }
}

fn piece(key: &str, data: Vec<u8>) -> SubmitJobRequest {
    SubmitJobRequest { piece: Some(Piece::Attachment(AttachmentChunk { key: key.to_owned(), data })) }
}

#[test]
fn too_much_of_anything() {
    let (store, world) = (tempfile::tempdir().unwrap(), World::new("few"));
    let coordinator = Coordinator::with("127.0.0.1:0", store.path(), &["--attachments", "2MiB"]);
    blocking(async {
        let channel = open(&coordinator).await;
        let mut work = WorkServiceClient::new(channel.clone());
        let lease = |worker_id: String, free_slots| LeaseTasksRequest { worker_id, free_slots, wait_ms: 0 };
        let renew = |count| RenewLeasesRequest {
            worker_id: "w".into(),
            leases: vec![LeaseRef::default(); count],
            ..RenewLeasesRequest::default()
        };
        of_one_line("a message", work.lease_tasks(lease("x".repeat(MESSAGE + 1), 1)).await, Code::OutOfRange, "limit");
        of_one_line("a name", work.lease_tasks(lease("x".repeat(999), 1)).await, Code::InvalidArgument, "`worker_id`");
        of_one_line(
            "tasks",
            work.lease_tasks(lease("w".into(), SLOTS + 1)).await,
            Code::InvalidArgument,
            "`free_slots`",
        );
        of_one_line("leases", work.renew_leases(renew(LEASES + 1)).await, Code::InvalidArgument, "`leases`");
        let mut jobs = JobServiceClient::new(channel);
        let request = || world.request(&json!({"output": "/tmp/out"})).to_string();
        let many = (0..=ATTACHMENTS).map(|n| piece(&n.to_string(), vec![0; 8]));
        let submissions = [
            ("a request", vec![header(" ".repeat(REQUEST + 1))], "KiB"),
            ("attachments", [header(request())].into_iter().chain(many).collect(), "attachments"),
            (
                "bytes",
                vec![header(request()), piece("a", vec![0; 1 << 20]), piece("a", vec![0; (1 << 20) + 1])],
                "2 MiB",
            ),
            ("no header", vec![piece("a", vec![0])], "header"),
        ];
        for (what, pieces, word) in submissions {
            let answer = jobs.submit_job(tokio_stream::iter(pieces)).await;
            of_one_line(what, answer, Code::InvalidArgument, word);
        }
    });
}

#[test]
fn headers_without_end() {
    let store = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(store.path());
    blocking(async {
        let mut health = HealthClient::new(open(&coordinator).await);
        let mut request = Request::new(HealthCheckRequest::default());
        request.metadata_mut().insert("x-long", "x".repeat(1 << 17).parse().unwrap());
        assert!(health.check(request).await.is_err());
    });
    assert_eq!(coordinator.ask(&["status"]).code, Some(0), "the others do not notice");
}

#[test]
fn a_task_that_the_worker_does_not_hold() {
    let world = World::new("few");
    let request = world.write("submitted.json", &json!({"output": "out"}));
    let coordinator = Coordinator::start(&world.path("store"));
    assert_eq!(coordinator.ask(&["submit", &request.to_string_lossy()]).code, Some(0));
    blocking(async {
        let mut work = WorkServiceClient::new(open(&coordinator).await);
        let ask = LeaseTasksRequest { worker_id: "honest".into(), free_slots: 1, wait_ms: 10_000 };
        let held = work.lease_tasks(ask).await.unwrap().into_inner().leases.remove(0).r#ref.unwrap();
        let report = |worker: &str, lease: &LeaseRef| {
            let outcome = Some(Outcome::Done(TaskDone::default()));
            let reports = vec![TaskReport { lease: Some(lease.clone()), outcome }];
            ReportTasksRequest { worker_id: worker.to_owned(), reports }
        };
        let (later, other) =
            (LeaseRef { epoch: held.epoch + 1, ..held.clone() }, LeaseRef { job_id: "x".into(), ..held.clone() });
        for (what, worker, lease) in
            [("another's", "thief", &held), ("not granted yet", "honest", &later), ("no job's", "honest", &other)]
        {
            let refused = work.report_tasks(report(worker, lease)).await.unwrap().into_inner().refused;
            assert_eq!(refused, std::slice::from_ref(lease), "{what}");
        }
        let renewed = work
            .renew_leases(RenewLeasesRequest {
                worker_id: "thief".into(),
                leases: vec![held.clone()],
                ..RenewLeasesRequest::default()
            })
            .await;
        assert_eq!(renewed.unwrap().into_inner().void_leases, [held]);
    });
    let told = coordinator.ask(&["status", "--json"]).stdout;
    assert!(told.contains(r#""done":0"#) && told.contains(r#""running":1"#), "nothing was recorded: {told}");
}

/// Probes have no token; who looks around needs one.
#[test]
fn health_is_open_and_reflection_is_not() {
    let store = tempfile::tempdir().unwrap();
    let guarded = Guarded::new(store.path());
    blocking(async {
        let channel = secured(&guarded).await;
        HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
        let asked = || tokio_stream::once(ServerReflectionRequest::default());
        let mut reflection = ServerReflectionClient::new(channel);
        of_one_line("reflection", reflection.server_reflection_info(asked()).await, Code::Unauthenticated, "token");
        let mut request = Request::new(asked());
        let token = std::fs::read_to_string(guarded.file("read")).unwrap();
        request.metadata_mut().insert("authorization", format!("Bearer {}", token.trim()).parse().unwrap());
        reflection.server_reflection_info(request).await.unwrap();
    });
}

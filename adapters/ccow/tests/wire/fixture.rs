//! A registry on a port of its own, a gateway that answers as told, and clients that write and read bytes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fhircast_gateway_adapter_api::{BoxFuture, Inbound, Outcome, Sink};
use fhircast_gateway_ccow::{Acceptor, Counters, Door, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::participant::Participant;

/// Longer than anything here takes, shorter than anybody's patience.
const PATIENCE: Duration = Duration::from_secs(20);

/// Within the time that any of this may take.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it happens soon")
}

/// A running registry.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    counters: Arc<Counters>,
    sink: Arc<FakeSink>,
    submissions: mpsc::Receiver<String>,
    serving: JoinHandle<()>,
}

struct FakeSink {
    outcome: Mutex<Outcome>,
    /// One permit an answer; closed when answers need none.
    gate: Semaphore,
    submitted: mpsc::Sender<String>,
}

/// What an application is answered.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    pub(crate) async fn with(settings: &str) -> Self {
        Self::serving(settings, true, None).await
    }

    /// A gateway that keeps only what `release` lets it.
    pub(crate) async fn gated() -> Self {
        Self::serving("", false, None).await
    }

    pub(crate) async fn encrypted(tls: TlsAcceptor) -> Self {
        Self::serving("", true, Some(Arc::new(move || tls.clone()))).await
    }

    async fn serving(settings: &str, open: bool, tls: Option<Acceptor>) -> Self {
        let settings: Settings = toml::from_str(settings).unwrap();
        assert_eq!(settings.check(), []);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (submitted, submissions) = mpsc::channel(100);
        let gate = Semaphore::new(0);
        if open {
            gate.close();
        }
        let sink = Arc::new(FakeSink { outcome: Mutex::new(Outcome::Accepted), gate, submitted });
        let (counters, shutdown) = (Arc::new(Counters::default()), CancellationToken::new());
        let doors = vec![Door { listener, tls }];
        let settings = Arc::new(settings);
        let served = fhircast_gateway_ccow::serve(
            doors,
            settings,
            "ccow".into(),
            sink.clone(),
            counters.clone(),
            shutdown.clone(),
        );
        Self { address, shutdown, counters, sink, submissions, serving: tokio::spawn(served) }
    }

    /// What the gateway answers from now on.
    pub(crate) fn answers(&self, outcome: Outcome) {
        *self.sink.outcome.lock().unwrap() = outcome;
    }

    pub(crate) fn release(&self) {
        self.sink.gate.add_permits(1);
    }

    /// The text of the next change that comes to the gateway.
    pub(crate) async fn submission(&mut self) -> String {
        soon(self.submissions.recv()).await.expect("the sink is there")
    }

    pub(crate) fn has_no_submission(&mut self) -> bool {
        self.submissions.try_recv().is_err()
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        let snapshot = self.counters.snapshot();
        snapshot.iter().find(|(counter, _)| *counter == name).expect("there is such a counter").1
    }

    pub(crate) async fn ended(self) {
        soon(self.serving).await.expect("it ends by itself");
    }

    /// Sends bytes, and reads until the gateway closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> Answered {
        let mut stream = soon(TcpStream::connect(self.address)).await.unwrap();
        soon(stream.write_all(request)).await.unwrap();
        let mut answer = Vec::new();
        soon(stream.read_to_end(&mut answer)).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answered { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    /// A request with further headers, each with its line end.
    pub(crate) async fn request(&self, method: &str, target: &str, headers: &str, body: &str) -> Answered {
        let length = body.len();
        let host = if headers.contains("Host:") { String::new() } else { format!("Host: {}\r\n", self.address) };
        let head = format!(
            "{method} {target} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        self.raw(format!("{head}{body}").as_bytes()).await
    }

    pub(crate) async fn get(&self, target: &str) -> Answered {
        self.request("GET", target, "Content-Type: application/x-www-form-urlencoded\r\n", "").await
    }

    /// The manager's path, as `Locate` tells it at `path`.
    pub(crate) async fn locate(&self, path: &str, descriptive_data: &str) -> String {
        let query = "interface=ContextManagementRegistry&method=Locate&componentName=CCOW.ContextManager&version=1.5";
        let located = self.get(&format!("{path}?{query}&descriptiveData={descriptive_data}")).await;
        let url = located.body.strip_prefix("componentUrl=").and_then(|body| body.split('&').next());
        let url = url.unwrap_or_else(|| panic!("{}", located.body));
        url.strip_prefix(&format!("http://{}", self.address)).unwrap_or_else(|| panic!("{url}")).to_owned()
    }

    /// The manager of this machine, for an application that uses the verb `POST` or `GET`.
    pub(crate) async fn desktop(&self) -> Desktop<'_> {
        Desktop { gateway: self, manager: self.locate("/", "").await, post: true }
    }
}

impl Sink for FakeSink {
    fn submit(&self, inbound: Inbound) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            assert_eq!((inbound.kind.as_str(), inbound.control_id.as_str()), ("PublishChangesDecision", ""));
            let text = String::from_utf8(inbound.raw.to_vec()).unwrap();
            let _ = self.submitted.try_send(text);
            if let Ok(permit) = self.gate.acquire().await {
                permit.forget();
            }
            self.outcome.lock().unwrap().clone()
        })
    }
}

/// A manager, as an application calls it.
#[derive(Clone)]
pub(crate) struct Desktop<'g> {
    pub(crate) gateway: &'g Gateway,
    pub(crate) manager: String,
    pub(crate) post: bool,
}

impl Desktop<'_> {
    /// The body of the reply, which has the status 200.
    pub(crate) async fn call(&self, what: &str, arguments: &str) -> String {
        let (interface, method) = what.split_once('.').unwrap();
        let call = format!("interface={interface}&method={method}&{arguments}");
        let answered = if self.post {
            self.gateway
                .request("POST", &self.manager, "Content-Type: application/x-www-form-urlencoded\r\n", &call)
                .await
        } else {
            self.gateway.get(&format!("{}?{}", self.manager, call.replace(' ', "%20"))).await
        };
        assert_eq!(answered.status, 200, "{answered:?}");
        answered.body
    }

    pub(crate) async fn join(&self, name: &str, participant: &str, survey: bool) -> u32 {
        let arguments = format!("applicationName={name}&contextParticipant={participant}&survey={survey}&wait=1");
        number(&self.call("ContextManager.JoinCommonContext", &arguments).await, "participantCoupon=")
    }

    pub(crate) async fn join_as(&self, name: &str, participant: &Participant) -> u32 {
        self.join(name, &participant.url, true).await
    }

    /// Starts a change to this patient, and gives its coupon.
    pub(crate) async fn start(&self, participant: u32, patient: &str) -> u32 {
        let started =
            self.call("ContextManager.StartContextChanges", &format!("participantCoupon={participant}")).await;
        let context = number(&started, "contextCoupon=");
        let set = format!(
            "participantCoupon={participant}&itemNames=Patient.Id.MRN.a&itemValues={patient}&contextCoupon={context}"
        );
        assert_eq!(self.call("ContextData.SetItemValues", &set).await, "");
        context
    }

    pub(crate) async fn end(&self, context: u32) -> String {
        self.call("ContextManager.EndContextChanges", &format!("contextCoupon={context}")).await
    }

    pub(crate) async fn publish(&self, context: u32, decision: &str) -> String {
        let arguments = format!("contextCoupon={context}&decision={decision}");
        self.call("ContextManager.PublishChangesDecision", &arguments).await
    }

    /// The whole of a change that nobody objects to.
    pub(crate) async fn change(&self, participant: u32, patient: &str) -> u32 {
        let context = self.start(participant, patient).await;
        assert_eq!(self.end(context).await, "noContinue=false&responses=");
        assert_eq!(self.publish(context, "accept").await, "listenerURLs=");
        context
    }

    pub(crate) async fn most_recent(&self) -> u32 {
        number(&self.call("ContextManager.GetMostRecentContextCoupon", "").await, "contextCoupon=")
    }

    pub(crate) async fn values(&self, context: u32) -> String {
        self.call("ContextData.GetItemValues", &format!("itemNames=*&contextCoupon={context}")).await
    }
}

/// The number after `name`.
pub(crate) fn number(body: &str, name: &str) -> u32 {
    body.strip_prefix(name).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{body}"))
}

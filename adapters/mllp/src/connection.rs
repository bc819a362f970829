//! One connection: reads a frame, has it decided, answers it, and only then goes on to the next. HL7 v2 reference, sections
//! 1 and 2.3.
//!
//! What was read ahead while an answer was awaited is at most one portion, so a gateway that is behind slows its senders
//! down instead of filling up. Logs say where in the stream something was odd, and never what stood there.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fhircast_gateway_adapter_api::{Clock, Outcome, Sink};
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::admission::{self, Admission, admit};
use crate::control_ids::ControlIds;
use crate::counters::{Count, Counters, Warnings};
use crate::frame::{self, Decoder, Found};
use crate::message::Message;
use crate::oddity::Oddity;
use crate::refusal::Reason;
use crate::reply::{self, Reply, Stamp};
use crate::settings::{Batch, Code, Settings, timer, unless_zero};

/// What all connections of a listener have in common.
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) source: Arc<str>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) control_ids: ControlIds,
    pub(crate) warnings: Warnings,
}

/// One peer.
pub(crate) struct Connection<S> {
    stream: S,
    peer: SocketAddr,
    decoder: Decoder,
    /// Where the frame in hand started in the stream, and when.
    frame: Option<(u64, Instant)>,
    shared: Arc<Shared>,
    /// A child of the listener's own: connections that wait do not meet at one lock.
    shutdown: CancellationToken,
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
enum Ending {
    #[error("the gateway did not say in time what became of a message")]
    AnswerTimedOut,
    #[error("a message could not be kept, and answer.transient says to close")]
    AnswerWithheld,
    #[error("a frame did not end in mid_frame_timeout")]
    FrameTimedOut,
    #[error("nothing came in idle_timeout")]
    IdleTimedOut,
    #[error("the connection failed")]
    Failed(#[from] io::Error),
    #[error("the peer closed it")]
    PeerClosed,
    #[error("the gateway is stopping")]
    Stopping,
    #[error("the peer did not take an answer in write_timeout")]
    WriteTimedOut,
}

type Flow = ControlFlow<Ending>;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(stream: S, peer: SocketAddr, shared: Arc<Shared>) -> Self {
        let decoder = Decoder::new(shared.settings.max_message_bytes());
        let shutdown = shared.shutdown.child_token();
        Self { stream, peer, decoder, frame: None, shared, shutdown }
    }

    /// Answers frames until the peer, a timeout or the gateway ends it.
    pub(crate) async fn run(mut self) {
        let ending = loop {
            let flow = match self.decoder.decode() {
                Some(found) => self.take(found).await,
                None => self.read().await,
            };
            if let ControlFlow::Break(ending) = flow {
                break ending;
            }
        };
        if let Some(Found::Odd(oddity, offset)) = self.decoder.finish() {
            self.odd(oddity, offset);
        }
        self.close(&ending).await;
    }

    /// Deals with what the decoder found. Once the gateway is stopping, the frame in hand is the last.
    async fn take(&mut self, found: Found) -> Flow {
        match found {
            Found::Odd(oddity, offset) => {
                self.odd(oddity, offset);
                return Flow::Continue(());
            }
            Found::Payload(payload) => {
                self.shared.counters.count(Count::FrameReceived);
                self.answer(payload).await?;
            }
            Found::TooLong { head, length } => {
                self.shared.counters.count(Count::FrameReceived);
                debug!(source = %self.shared.source, peer = %self.peer, length, "Message is longer than max_message.");
                self.refuse_too_long(&head).await?;
            }
        }
        if self.shutdown.is_cancelled() { Flow::Break(Ending::Stopping) } else { Flow::Continue(()) }
    }

    async fn answer(&mut self, payload: Bytes) -> Flow {
        let settings = Arc::clone(&self.shared.settings);
        match admit(payload.clone(), settings.charset_policy(), settings.batch) {
            Admission::Message(message) => self.submit(Arc::from(message)).await,
            Admission::Refused(reason) => self.refuse(&payload, reason).await,
            Admission::Dropped(oddity) => self.drop_silently(oddity),
            Admission::Batch(messages) => self.answer_batch(messages).await,
        }
    }

    /// Each message of a batch by itself, in order.
    async fn answer_batch(&mut self, messages: Vec<Bytes>) -> Flow {
        self.odd(Oddity::Batch, self.decoder.offset());
        let policy = self.shared.settings.charset_policy();
        for payload in messages {
            match admit(payload.clone(), policy, Batch::Reject) {
                Admission::Message(message) => self.submit(Arc::from(message)).await?,
                Admission::Refused(reason) => self.refuse(&payload, reason).await?,
                Admission::Dropped(oddity) => self.drop_silently(oddity)?,
                Admission::Batch(_) => self.refuse(&payload, Reason::Batch).await?,
            }
        }
        Flow::Continue(())
    }

    /// Hands a message to the gateway, waits, answers.
    async fn submit(&mut self, message: Arc<Message>) -> Flow {
        let shared = Arc::clone(&self.shared);
        shared.counters.count(Count::MessageSubmitted);
        let submitted = shared.sink.submit(message.inbound(&shared.source));
        let outcome = match timeout(timer(shared.settings.answer_timeout), submitted).await {
            Ok(outcome) => outcome,
            Err(_) => return Flow::Break(Ending::AnswerTimedOut),
        };
        message.oddities().for_each(|oddity| self.odd(oddity, self.decoder.offset()));
        self.log_outcome(&message, &outcome);
        let reply = reply::to_outcome(message.raw(), &outcome, &shared.settings, &self.stamp());
        self.send(reply).await
    }

    /// Answers a payload that the gateway never sees.
    async fn refuse(&mut self, payload: &[u8], reason: Reason) -> Flow {
        self.odd(reason.oddity(), self.decoder.offset());
        let shared = Arc::clone(&self.shared);
        debug!(source = %shared.source, peer = %self.peer, %reason, "Message refused.");
        let reply = reply::to_refusal(payload, reason, &shared.settings, &self.stamp());
        self.send(reply).await
    }

    /// Its head is enough to answer it by, unless it is an acknowledgement.
    async fn refuse_too_long(&mut self, head: &[u8]) -> Flow {
        if admission::is_acknowledgement(head) {
            return self.drop_silently(Oddity::AcknowledgementReceived);
        }
        self.refuse(head, Reason::TooLong).await
    }

    fn drop_silently(&self, oddity: Oddity) -> Flow {
        self.odd(oddity, self.decoder.offset());
        Flow::Continue(())
    }

    async fn send(&mut self, reply: Reply) -> Flow {
        match reply {
            Reply::Acknowledge { code, payload, oddity } => {
                oddity.into_iter().for_each(|oddity| self.odd(oddity, self.decoder.offset()));
                self.shared.counters.count(count(code));
                self.write(&frame::encode(&payload)).await
            }
            Reply::Nothing => {
                self.shared.counters.count(Count::AnswerUnwanted);
                Flow::Continue(())
            }
            Reply::Close => {
                self.shared.counters.count(Count::AnswerWithheld);
                Flow::Break(Ending::AnswerWithheld)
            }
        }
    }

    async fn write(&mut self, block: &[u8]) -> Flow {
        let limit = timer(self.shared.settings.write_timeout);
        let written = timeout(limit, async {
            self.stream.write_all(block).await?;
            self.stream.flush().await
        });
        match written.await {
            Ok(Ok(())) => Flow::Continue(()),
            Ok(Err(error)) => Flow::Break(error.into()),
            Err(_) => Flow::Break(Ending::WriteTimedOut),
        }
    }

    /// Reads the next portion. When the gateway is stopping, only what completes the frame in hand.
    async fn read(&mut self) -> Flow {
        let (deadline, ending) = self.deadline();
        let shutdown = &self.shutdown;
        let between_frames = self.frame.is_none();
        let mut room = self.decoder.room();
        tokio::select! {
            biased;
            () = shutdown.cancelled(), if between_frames => Flow::Break(Ending::Stopping),
            read = self.stream.read_buf(&mut room) => match read {
                Ok(0) => Flow::Break(Ending::PeerClosed),
                Ok(_) => Flow::Continue(()),
                // Many peers end TLS without saying so.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Flow::Break(Ending::PeerClosed),
                Err(error) => Flow::Break(error.into()),
            },
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => Flow::Break(ending),
        }
    }

    /// Until when the next bytes must come, and what it means if they do not.
    fn deadline(&mut self) -> (Option<Instant>, Ending) {
        let now = Instant::now();
        let settings = &self.shared.settings;
        self.frame = self.decoder.frame_start().map(|start| match self.frame {
            Some((known, since)) if known == start => (start, since),
            _ => (start, now),
        });
        match self.frame {
            Some((_, since)) => (Some(since + timer(settings.mid_frame_timeout)), Ending::FrameTimedOut),
            None => (unless_zero(settings.idle_timeout).map(|idle| now + idle), Ending::IdleTimedOut),
        }
    }

    async fn close(&mut self, ending: &Ending) {
        let (source, peer) = (&self.shared.source, self.peer);
        match ending {
            Ending::PeerClosed | Ending::Stopping => debug!(%source, %peer, reason = %ending, "Connection ends."),
            Ending::FrameTimedOut | Ending::IdleTimedOut | Ending::WriteTimedOut | Ending::AnswerTimedOut => {
                self.shared.counters.count(Count::ConnectionTimedOut);
                warn!(%source, %peer, reason = %ending, "Connection ends.");
            }
            Ending::Failed(error) => warn!(%error, %source, %peer, reason = %ending, "Connection ends."),
            Ending::AnswerWithheld => warn!(%source, %peer, reason = %ending, "Connection ends."),
        }
        // Closing with bytes unread resets the connection, and the peer might lose the answer that was just written.
        let _ = timeout(LINGER, self.linger()).await;
    }

    async fn linger(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let mut discarded = [0; 1024];
        while self.stream.read(&mut discarded).await? > 0 {}
        Ok(())
    }

    fn stamp(&self) -> Stamp {
        let now = Timestamp::try_from(self.shared.clock.now()).unwrap_or_default();
        Stamp { now, control_id: self.shared.control_ids.next(now) }
    }

    /// Counts an oddity, and warns of it unless that was done just now.
    fn odd(&self, oddity: Oddity, offset: u64) {
        let Shared { counters, warnings, source, .. } = &*self.shared;
        counters.odd(oddity);
        let Some(suppressed) = warnings.due(oddity, Instant::now()) else { return };
        let (peer, name, sentence) = (self.peer, oddity.name(), oddity.sentence());
        match oddity {
            Oddity::BlankBetweenFrames => debug!(%source, %peer, offset, oddity = name, suppressed, "{sentence}"),
            _ => warn!(%source, %peer, offset, oddity = name, suppressed, "{sentence}"),
        }
    }

    /// The gateway has told the operator what became of the message; this adds by whom it came. The control id is quoted and
    /// escaped by its Debug: it comes from the peer.
    fn log_outcome(&self, message: &Message, outcome: &Outcome) {
        let (source, peer) = (&self.shared.source, self.peer);
        match outcome {
            Outcome::Accepted => debug!(%source, %peer, control_id = ?message.control_id(), "Message accepted."),
            Outcome::Ignored => debug!(%source, %peer, control_id = ?message.control_id(), "Message ignored."),
            Outcome::Rejected(rejection) => {
                let (fault, reason) = (rejection.fault, &rejection.reason);
                debug!(%source, %peer, control_id = ?message.control_id(), ?fault, %reason, "Message rejected.");
            }
            Outcome::Unavailable { reason } => {
                debug!(%source, %peer, control_id = ?message.control_id(), %reason, "Message not kept; its sender must repeat it.");
            }
        }
    }
}

/// How long a peer may take to notice that its connection is being closed.
const LINGER: Duration = Duration::from_secs(1);

fn count(code: Code) -> Count {
    match code {
        Code::AA => Count::AnswerAccept,
        Code::AE => Count::AnswerError,
        Code::AR => Count::AnswerReject,
    }
}

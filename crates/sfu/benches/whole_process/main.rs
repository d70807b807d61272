//! What a forwarded packet costs in a whole worker, in CPU time of its thread, user and system apart, beside the floor of
//! this machine: the same receive, rewrite, encrypt and send with no logic at all, in the same run.
//!
//! Everything goes over loopback to sockets that nobody reads, so the kernel's part is the sender's path and the drop at
//! the receiver. Compare ratios within one run; the machine's speed drifts.

mod cpu;
mod floor;
mod peer;
mod reports;
mod source;

use std::time::Duration;

use sfu::ortc::{MediaKind, RtpParameters, router_rtp_capabilities};
use sfu::{ConsumerOptions, ProducerOptions, Settings, WebRtcTransportOptions, Workers};

use crate::cpu::Cost;
use crate::peer::Peer;
use crate::reports::Reports;
use crate::source::Source;

/// Receivers of each packet.
const AUDIENCES: [usize; 3] = [10, 50, 100];

/// Packets that arrive together.
const BURSTS: [usize; 3] = [1, 4, 8];

/// Packets sent to receivers each second, all together.
const OUT_PER_SECOND: usize = 60_000;

/// Time measured for each figure, and how often in turns: the median counts.
const MEASURED: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;

/// First port of the worker.
const PORT: u16 = 47_310;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    println!("CPU ns per forwarded packet of {} bytes, AEAD_AES_256_GCM, loopback", source::PACKET_LEN);
    println!("receivers  together |  floor: user + system = total |    sfu: user + system = total | ratio");
    for audience in AUDIENCES {
        for burst in BURSTS {
            let (mut floors, mut all_ours) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                floors.push(floor::measure(audience, burst, OUT_PER_SECOND, MEASURED)?);
                all_ours.push(runtime.block_on(measure(audience, burst))?);
            }
            let (floor, ours) = (median(floors), median(all_ours));
            println!(
                "{audience:9}  {burst:8} | {} | {} | {:5.2}",
                figures(&floor),
                figures(&ours),
                ours.total() / floor.total()
            );
        }
    }
    Ok(())
}

fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|a, b| a.total().total_cmp(&b.total()));
    costs[costs.len() / 2]
}

fn figures(cost: &Cost) -> String {
    format!("{:13.0} + {:6.0} = {:5.0}", cost.user, cost.system, cost.total())
}

async fn measure(audience: usize, burst: usize) -> Result<Cost, Box<dyn std::error::Error>> {
    let workers = Workers::start(Settings {
        workers: 1,
        listen: vec![[127, 0, 0, 1].into()],
        announced: Vec::new(),
        rtc_min_port: PORT,
        rtc_max_port: PORT,
        consent_timeout: Duration::from_secs(60),
        // What the links carry is reckoned at every report, and comes to this.
        bitrate_limits: sfu::BitrateLimits { min: 100_000_000, start: 100_000_000, max: 100_000_000 },
    })?;
    let (router, _events) = workers.create_router().await?;
    let transport = router.create_webrtc_transport(WebRtcTransportOptions::default()).await?;
    let publisher = Peer::connect(&transport).await?;
    let rtp_parameters: RtpParameters = serde_json::from_str(source::RTP_PARAMETERS)?;
    let options = ProducerOptions {
        kind: MediaKind::Video,
        rtp_parameters,
        paused: false,
        is_screen: false,
        is_microphone: false,
    };
    let producer = transport.produce(options).await?;
    let mut viewers = Vec::new();
    for _ in 0..audience {
        let transport = router.create_webrtc_transport(WebRtcTransportOptions::default()).await?;
        let peer = Peer::connect(&transport).await?;
        let options = ConsumerOptions {
            producer: producer.clone(),
            rtp_capabilities: router_rtp_capabilities().clone(),
            paused: false,
        };
        viewers.push((peer, transport.consume(options).await?, transport));
    }
    let thread = cpu::Thread::named("media-0")?;
    let mut source = Source::new(&publisher, burst, OUT_PER_SECOND / audience);
    let mut reports = Reports::new(viewers.iter().map(|(peer, ..)| peer));
    source.run(Duration::from_millis(500), |sent| reports.send_due(sent));
    let (before, sent_before) = (thread.times()?, sent(&viewers).await?);
    source.run(MEASURED, |sent| reports.send_due(sent));
    let (after, sent_after) = (thread.times()?, sent(&viewers).await?);
    let link = viewers.first().ok_or("nobody watches")?.2.stats().await?;
    if link["bandwidthEstimate"]["acknowledged"].as_u64() < Some(100_000) {
        return Err(format!("the reports were not understood: {link:?}").into());
    }
    let cost = Cost::between(&before, &after, sent_after - sent_before);
    tokio::task::block_in_place(|| workers.close());
    Ok(cost)
}

type Viewer = (Peer, sfu::Consumer, sfu::WebRtcTransport);

async fn sent(viewers: &[Viewer]) -> Result<u64, Box<dyn std::error::Error>> {
    let mut sum = 0;
    for (_, consumer, _) in viewers {
        sum += consumer.stats().await?[0]["packetsSent"].as_u64().unwrap_or_default();
    }
    Ok(sum)
}

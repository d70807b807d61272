// Generated from crates/server/src/signal/messages/ and crates/server/src/http/*messages.rs; not to be edited.
// To write it anew: STUDYHALL_WRITE_TYPES=1 cargo test -p server --lib typescript

/**
 * What a host or moderator does to somebody.
 */
export type Action = "mute" | "stop-video" | "stop-screen" | "kick" | "ban" | "unban" | "promote" | "demote" | "transfer-host" | "admit" | "reject";

/**
 * Who leads the conversation.
 */
export type ActiveSpeaker = { 
/**
 * Nobody, when null.
 */
participantId: string | null, };

/**
 * Answer to `GET /api/auth/methods`.
 */
export type AuthMethods = { 
/**
 * Whether `GET /api/auth/oidc` leads to another site's login.
 */
oidc: boolean, };

/**
 * Somebody who may not come into a room.
 */
export type Ban = { 
/**
 * For `moderate` with `unban`.
 */
id: string, 
/**
 * Whom it keeps out.
 */
kind: BanKind, 
/**
 * As it was then; to be escaped where it is shown.
 */
displayName: string, 
/**
 * May be empty.
 */
reason: string, 
/**
 * Since when.
 */
createdAt: string, 
/**
 * Until when; not there: for good.
 */
expiresAt?: string, };

/**
 * Whom a ban keeps out.
 */
export type BanKind = "person" | "address";

/**
 * Answer to `GET /api/rooms/{id}/bans`.
 */
export type BanPage = { 
/**
 * The newest first; those whose time is over are not in it.
 */
bans: Array<Ban>, 
/**
 * The `before` of the next page; not there on the last one.
 */
next?: string, };

/**
 * What the receiver's link carries, at most once a second.
 */
export type Bandwidth = { 
/**
 * In bits a second.
 */
availableOutgoingBitrate: number, 
/**
 * What all that is shown would take, in bits a second.
 */
desiredBitrate: number, 
/**
 * How that fits.
 */
state: BandwidthState, };

/**
 * How much of what the receiver shows its link carries.
 */
export type BandwidthState = "ok" | "limited" | "audio-only";

/**
 * What a room wants of cameras.
 */
export type CameraPolicy = "optional" | "required" | "closed";

/**
 * `PATCH /api/rooms/{id}`; what is left out stays.
 */
export type ChangeRoom = { 
/**
 * 1 to 80 characters.
 */
name?: string, 
/**
 * Up to 200 characters.
 */
topic?: string, 
/**
 * BCP 47; empty: not said.
 */
language?: string, 
/**
 * Seats; who sits keeps the seat.
 */
capacity?: number, 
/**
 * Who finds it, and who comes in.
 */
visibility?: Visibility, 
/**
 * 4 to 200 characters; null: none any more.
 */
password: string | null, 
/**
 * Whether nobody else is let in.
 */
locked?: boolean, 
/**
 * What is allowed.
 */
policy?: PolicyChange, };

/**
 * `PATCH /api/me`; what is left out stays.
 */
export type ChangeUser = { 
/**
 * 1 to 50 characters.
 */
displayName?: string, 
/**
 * IANA name, such as `Europe/Berlin`.
 */
timeZone?: string, 
/**
 * Whether others see the time studied.
 */
onLeaderboard?: boolean, 
/**
 * Days of the week that do not end a streak: bit 0 is Monday, so 0 to 127.
 */
restDays?: number, };

/**
 * Everything that was said is gone.
 */
export type ChatCleared = { 
/**
 * Name of who cleared it.
 */
by: string, };

/**
 * `POST /api/me/claim-guest`
 */
export type ClaimGuest = { 
/**
 * Of the guest whose study time becomes the account's.
 */
guestToken: string, };

/**
 * Answer to `close-producer` and `close-consumer`.
 */
export type Closed = { 
/**
 * Always true: what fails is refused.
 */
closed: true, };

/**
 * `complete-goal`
 */
export type CompleteGoal = { 
/**
 * Whether it is done.
 */
done: boolean, 
/**
 * What came of it: up to 200 characters, for oneself.
 */
recap?: string, };

/**
 * `connect-transport`
 */
export type ConnectTransport = { 
/**
 * Which.
 */
transportId: string, 
/**
 * As mediasoup-client gives them.
 */
dtlsParameters: unknown, };

/**
 * Answer to `connect-transport`.
 */
export type Connected = { 
/**
 * Always true: what fails is refused.
 */
connected: true, };

/**
 * How well somebody's media get through.
 */
export type Connection = "good" | "poor" | "lost";

/**
 * `consume`; exactly one of `producerId` and `producerIds`.
 */
export type Consume = { 
/**
 * On which transport.
 */
transportId: string, 
/**
 * What; answered by one consumer.
 */
producerId?: string, 
/**
 * What; answered by one consumer or refusal for each, in this order.
 */
producerIds?: Array<string>, 
/**
 * Of mediasoup-client's device.
 */
rtpCapabilities: unknown, };

/**
 * Answer to `consume` with `producerId` or with `producerIds`.
 */
export type ConsumeAnswer = { 
/**
 * The consumer.
 */
consumer: ConsumerOptions, } | { 
/**
 * One for each id, in the same order.
 */
consumers: Array<ConsumeOutcome>, };

/**
 * One of several.
 */
export type ConsumeOutcome = ConsumerOptions | ConsumeRefusal;

/**
 * Why one of several producers cannot be consumed.
 */
export type ConsumeRefusal = { 
/**
 * Which.
 */
producerId: string, 
/**
 * For people.
 */
error: string, 
/**
 * For programs.
 */
code: string, };

/**
 * A consumer of the receiver is gone, because its producer or its transport is.
 */
export type ConsumerClosed = { 
/**
 * Which.
 */
consumerId: string, };

/**
 * `close-consumer`, `request-key-frame`
 */
export type ConsumerIdOnly = { 
/**
 * Which.
 */
consumerId: string, };

/**
 * `resume-consumer`, `pause-consumer`; exactly one of the two.
 */
export type ConsumerIds = { 
/**
 * One.
 */
consumerId?: string, 
/**
 * Several; those that are gone already are passed over, unless all are.
 */
consumerIds?: Array<string>, };

/**
 * Another layer is sent to a consumer of the receiver.
 */
export type ConsumerLayers = { 
/**
 * Which.
 */
consumerId: string, 
/**
 * 0 is the smallest; null: nothing is sent.
 */
spatialLayer: number | null, 
/**
 * 0 is the slowest; null: nothing is sent.
 */
temporalLayer: number | null, 
/**
 * Why no better one.
 */
reason: LayersReason, };

/**
 * What `recvTransport.consume` takes, and more; made paused.
 */
export type ConsumerOptions = { 
/**
 * Which.
 */
id: string, 
/**
 * Of what.
 */
producerId: string, 
/**
 * Whose.
 */
participantId: string, 
/**
 * Sound or pictures.
 */
kind: Kind, 
/**
 * Of what.
 */
source: Source, 
/**
 * For mediasoup-client.
 */
rtpParameters: unknown, 
/**
 * `simple`, `simulcast` or `svc`.
 */
type: "simple" | "simulcast" | "svc", 
/**
 * Whether its producer sends nothing for now.
 */
producerPaused: boolean, };

/**
 * How well what is sent to the receiver gets through.
 */
export type ConsumerScore = { 
/**
 * Which.
 */
consumerId: string, 
/**
 * From the server to the receiver, 0 to 10.
 */
score: number, 
/**
 * From its producer to the server.
 */
producerScore: number, };

/**
 * `POST /api/rooms/{id}/bans`
 */
export type CreateBan = { 
/**
 * Who sits in the room, or wrote in it.
 */
participantId: string, 
/**
 * Why: up to 200 characters.
 */
reason?: string, 
/**
 * How long; left out: for good.
 */
durationMs?: number, 
/**
 * Whether also others from the same network are kept out; only of somebody who sits there.
 */
withAddress?: boolean, };

/**
 * `POST /api/guests`
 */
export type CreateGuest = { 
/**
 * 1 to 50 characters.
 */
displayName: string, };

/**
 * `POST /api/rooms/{id}/invites`
 */
export type CreateInvite = { 
/**
 * One minute to 90 days; left out: a week.
 */
expiresInMs?: number, 
/**
 * How many people it lets in, 1 to 1000; left out: 50.
 */
uses?: number, };

/**
 * `POST /api/rooms`
 */
export type CreateRoom = { 
/**
 * 1 to 80 characters.
 */
name: string, 
/**
 * Up to 200 characters.
 */
topic?: string, 
/**
 * BCP 47, such as `en`.
 */
language?: string, 
/**
 * Seats, at least 1; more than the server's capacity of a room only for administrators.
 */
capacity?: number, 
/**
 * Left out: public.
 */
visibility?: Visibility, 
/**
 * Of a private room: 4 to 200 characters.
 */
password?: string, 
/**
 * What is left out is as in other rooms.
 */
policy?: PolicyChange, };

/**
 * `create-transport`
 */
export type CreateTransport = { 
/**
 * Which way the media go.
 */
direction: Direction, };

/**
 * Which way the media of a transport go, seen from the client.
 */
export type Direction = "send" | "recv";

/**
 * Something went wrong that is not the answer to a request.
 *
 * `MEDIA_RESTARTED`: all transports, producers and consumers of the room are gone, the seat is not; make them
 * anew. `MEDIA_LOST`: all transports of the receiver broke, the seat is kept; make them anew.
 * `REPLACED`: another connection has the seat now; the socket is closed next, and must not come back.
 * `TOO_SLOW`: the client does not take its events; the socket is closed next.
 */
export type ErrorEvent = { 
/**
 * For programs.
 */
code: string, 
/**
 * For people.
 */
message: string, 
/**
 * When to try again.
 */
retryAfterMs?: number, };

/**
 * `get-stats`: of what is named, or of all own transports when nothing is.
 */
export type GetStats = { 
/**
 * An own transport.
 */
transportId?: string, 
/**
 * An own producer.
 */
producerId?: string, 
/**
 * An own consumer.
 */
consumerId?: string, };

/**
 * What somebody wants to get done.
 */
export type Goal = { 
/**
 * As typed.
 */
text: string, 
/**
 * Whether it is.
 */
done: boolean, };

/**
 * Answer to `POST /api/guests`.
 */
export type Guest = { 
/**
 * For the `auth` of the namespace `/room`.
 */
token: string, 
/**
 * Who.
 */
guestId: string, 
/**
 * As it will be shown: trimmed, in Unicode's normalization form C.
 */
displayName: string, 
/**
 * When the token ends: RFC 3339, UTC.
 */
expiresAt: string, };

/**
 * Answer to `restart-ice`.
 */
export type IceParametersAnswer = { 
/**
 * For `transport.restartIce`.
 */
iceParameters: unknown, };

/**
 * A STUN or TURN server, as `RTCPeerConnection` takes it.
 */
export type IceServer = { 
/**
 * Such as `turn:example.org:3478`.
 */
urls: Array<string>, 
/**
 * TURN only.
 */
username?: string, 
/**
 * TURN only.
 */
credential?: string, };

/**
 * Answer to `POST /api/rooms/{id}/invites`.
 */
export type Invite = { 
/**
 * For `auth.invite` of the namespace `/room`, and for `?invite=` of the room's page. It is shown this once.
 */
invite: string, 
/**
 * Until when.
 */
expiresAt: string, 
/**
 * How many people it still lets in.
 */
usesLeft: number, };

/**
 * The receiver has to go; the socket is closed next.
 */
export type Kicked = { 
/**
 * Why.
 */
reason: string, 
/**
 * Until when they may not come back, in milliseconds since the Unix epoch; not there: at once, or never after a ban.
 */
until?: number, };

/**
 * Sound or pictures.
 */
export type Kind = "audio" | "video";

/**
 * Why a layer is sent and no better one.
 */
export type LayersReason = "bandwidth" | "viewport" | "preferred" | "producer";

/**
 * Answer to `GET /api/study/leaderboard`.
 */
export type Leaderboard = { 
/**
 * As asked for.
 */
period: LeaderboardPeriod, 
/**
 * Since when.
 */
from: string, 
/**
 * Who studied most comes first.
 */
entries: Array<LeaderboardEntry>, };

/**
 * Somebody who wants to be seen there.
 */
export type LeaderboardEntry = { 
/**
 * 1 is the first; who studied as long has the same.
 */
rank: number, 
/**
 * As typed; to be escaped where it is shown.
 */
displayName: string, 
/**
 * All that was studied.
 */
totalMs: number, 
/**
 * Whether it is who asks.
 */
isSelf: boolean, };

/**
 * How far back a leaderboard goes: to the beginning of this one.
 */
export type LeaderboardPeriod = "day" | "week" | "month";

/**
 * Why somebody is not in the room any more.
 */
export type LeaveReason = "left" | "lost" | "kicked" | "banned";

/**
 * Answer to `leave`; the socket is closed next.
 */
export type Left = { 
/**
 * Always true: what fails is refused.
 */
left: true, };

/**
 * A room, to those who look for one.
 */
export type LobbyState = { 
/**
 * All rooms.
 */
rooms: Array<RoomInfo>, };

/**
 * `POST /api/auth/login`
 */
export type Login = { 
/**
 * In any case.
 */
email: string, 
/**
 * As typed.
 */
password: string, };

/**
 * Something that was said in the chat.
 */
export type Message = { 
/**
 * Of this message.
 */
id: string, 
/**
 * Of the seat it was sent from.
 */
participantId: string, 
/**
 * As typed; to be escaped where it is shown.
 */
displayName: string, 
/**
 * As typed; to be escaped where it is shown.
 */
content: string, 
/**
 * What it is.
 */
type: MessageType, 
/**
 * When it came.
 */
sentAtMs: number, };

/**
 * Answer to `send-message`.
 */
export type MessageAnswer = { 
/**
 * As everybody got it.
 */
message: Message, };

/**
 * Answer to `GET /api/rooms/{id}/messages`.
 */
export type MessagePage = { 
/**
 * The oldest of the page first.
 */
messages: Array<Message>, 
/**
 * The `before` of the page with older ones; not there on the last one.
 */
next?: string, };

/**
 * What a message is.
 */
export type MessageType = "text" | "emoji";

/**
 * `moderate`
 */
export type Moderate = { 
/**
 * What is done.
 */
action: Action, 
/**
 * To whom; of `unban` the ban's id, of `admit` and `reject` the id from `waiting`.
 */
participantId: string, 
/**
 * Why: up to 200 characters.
 */
reason?: string, 
/**
 * How long a ban lasts; left out: for good.
 */
durationMs?: number, 
/**
 * Of a ban: whether also others from the same network are kept out.
 */
withAddress?: boolean, };

/**
 * Something was done to the receiver.
 */
export type Moderated = { 
/**
 * What.
 */
action: Action, 
/**
 * Name of who did it; the room itself where its policy did.
 */
by: string, 
/**
 * Why.
 */
reason?: string, };

/**
 * There is something to consume.
 */
export type NewProducer = { 
/**
 * What.
 */
producerId: string, 
/**
 * Whose.
 */
participantId: string, 
/**
 * Sound or pictures.
 */
kind: Kind, 
/**
 * Of what.
 */
source: Source, 
/**
 * Whether nothing is sent for now.
 */
paused: boolean, };

/**
 * Answer to what has nothing to say.
 */
export type Okay = { 
/**
 * Always true: what fails is refused.
 */
ok: true, };

/**
 * When something is allowed in a room.
 */
export type Openness = "open" | "breaks-only" | "closed";

/**
 * Somebody in a room.
 */
export type Participant = { 
/**
 * Of this seat: who comes again gets another one.
 */
id: string, 
/**
 * As typed; to be escaped where it is shown.
 */
displayName: string, 
/**
 * What they may do.
 */
role: Role, 
/**
 * What they are at.
 */
status: Status, 
/**
 * What they want to get done.
 */
goal?: Goal, 
/**
 * Whether they want to say something.
 */
handRaised: boolean, 
/**
 * The microphone.
 */
audio: Presence, 
/**
 * The camera.
 */
video: Presence, 
/**
 * The shared screen.
 */
screen: Presence, 
/**
 * When they came.
 */
joinedAtMs: number, 
/**
 * How well their media get through.
 */
connection: Connection, };

/**
 * How loud somebody is.
 */
export type ParticipantLevel = { 
/**
 * Who.
 */
participantId: string, 
/**
 * Mean level of the last 300 ms, from -127 (silence) to 0.
 */
dbov: number, };

/**
 * Answer to `pause-consumer` and `pause-producer`.
 */
export type Paused = { 
/**
 * Always true: what fails is refused.
 */
paused: true, };

/**
 * One phase of the clock.
 */
export type Phase = { 
/**
 * What for.
 */
kind: PhaseKind, 
/**
 * One second to eight hours.
 */
durationMs: number, };

/**
 * What a phase of the clock is for.
 */
export type PhaseKind = "focus" | "short-break" | "long-break";

/**
 * What is allowed in a room.
 */
export type Policy = { 
/**
 * Microphones.
 */
mics: Openness, 
/**
 * Cameras.
 */
camera: CameraPolicy, 
/**
 * The chat.
 */
chat: Openness, 
/**
 * Who controls the clock.
 */
timerControl: TimerControl, 
/**
 * Whether people without an account are let in.
 */
guests: boolean, 
/**
 * Whether a host or moderator lets everybody in.
 */
waitingRoom: boolean, 
/**
 * Microphones that are heard at a time, the loudest; 0: all; null: as configured.
 */
loudest: number | null, 
/**
 * Seconds between two messages of one person; 0: as fast as the limits allow.
 */
slowModeSeconds: number, };

/**
 * What a change of the policy says; what is left out stays.
 */
export type PolicyChange = { 
/**
 * Microphones.
 */
mics?: Openness, 
/**
 * Cameras.
 */
camera?: CameraPolicy, 
/**
 * The chat.
 */
chat?: Openness, 
/**
 * Who controls the clock.
 */
timerControl?: TimerControl, 
/**
 * Whether people without an account are let in.
 */
guests?: boolean, 
/**
 * Whether a host or moderator lets everybody in.
 */
waitingRoom?: boolean, 
/**
 * Microphones that are heard at a time, the loudest; 0: all.
 */
loudest?: number, 
/**
 * Seconds between two messages of one person.
 */
slowModeSeconds?: number, };

/**
 * What of a participant can be seen or heard.
 */
export type Presence = "on" | "paused" | "off";

/**
 * A refused HTTP request (RFC 9457).
 */
export type Problem = { 
/**
 * Always `about:blank`: the title says what the status says.
 */
type: string, 
/**
 * Of the status.
 */
title: string, 
/**
 * The HTTP status.
 */
status: number, 
/**
 * A sentence for people.
 */
detail: string, 
/**
 * For programs.
 */
code: string, 
/**
 * When to try again.
 */
retryAfterMs?: number, };

/**
 * `produce`
 */
export type Produce = { 
/**
 * On which transport.
 */
transportId: string, 
/**
 * Sound or pictures.
 */
kind: Kind, 
/**
 * As mediasoup-client gives them.
 */
rtpParameters: unknown, 
/**
 * Of what; left out: the microphone or the camera, by the kind.
 */
source?: Source, 
/**
 * Whether to begin without sending.
 */
paused?: boolean, };

/**
 * Answer to `produce`.
 */
export type ProduceAnswer = { 
/**
 * For mediasoup-client's callback.
 */
producerId: string, };

/**
 * `close-producer`, `pause-producer`, `resume-producer`
 */
export type ProducerIdOnly = { 
/**
 * Which.
 */
producerId: string, };

/**
 * A producer, and whose it is.
 */
export type ProducerOf = { 
/**
 * Which.
 */
producerId: string, 
/**
 * Whose.
 */
participantId: string, };

/**
 * How well what the receiver sends gets to the server.
 */
export type ProducerScore = { 
/**
 * Which.
 */
producerId: string, 
/**
 * Each stream, smallest first.
 */
scores: Array<StreamScore>, };

/**
 * One of them.
 */
export type PublishLayer = { 
/**
 * Its RID; null where there is only one stream.
 */
rid: string | null, 
/**
 * Whether anybody watches it.
 */
active: boolean, 
/**
 * Upper bound that the producer was made with, in bits a second.
 */
maxBitrate: number | null, };

/**
 * Which layers of a producer of the receiver anybody watches: the others need not be encoded.
 */
export type PublishLayers = { 
/**
 * Which.
 */
producerId: string, 
/**
 * Each, smallest first.
 */
layers: Array<PublishLayer>, };

/**
 * `raise-hand`
 */
export type RaiseHand = { 
/**
 * Up, or down again.
 */
raised: boolean, };

/**
 * `react`
 */
export type React = { 
/**
 * One emoji.
 */
emoji: string, };

/**
 * Somebody feels something, for a moment.
 */
export type Reaction = { 
/**
 * Who.
 */
participantId: string, 
/**
 * What.
 */
emoji: string, };

/**
 * The room is so full that cameras cost more than they give.
 */
export type RecommendAudioOnly = { 
/**
 * For people.
 */
message: string, 
/**
 * Seats taken now.
 */
occupancy: number, };

/**
 * A refused request.
 */
export type RefusalAnswer = { 
/**
 * For people.
 */
error: string, 
/**
 * For programs.
 */
code: string, 
/**
 * When to try again.
 */
retryAfterMs?: number, };

/**
 * `POST /api/auth/register`
 */
export type Register = { 
/**
 * Nobody checks that mail arrives there.
 */
email: string, 
/**
 * 10 to 200 characters.
 */
password: string, 
/**
 * 1 to 50 characters.
 */
displayName: string, 
/**
 * The one-time code of the first administrator.
 */
code?: string, };

/**
 * `report`
 */
export type Report = { 
/**
 * Who.
 */
participantId: string, 
/**
 * What they did: 1 to 500 characters.
 */
reason: string, };

/**
 * What somebody told about somebody.
 */
export type ReportEntry = { 
/**
 * Which.
 */
id: string, 
/**
 * Where it was.
 */
roomId: string, 
/**
 * Who told it; to be escaped where it is shown.
 */
byName: string, 
/**
 * About whom; to be escaped where it is shown.
 */
targetName: string, 
/**
 * What they did.
 */
reason: string, 
/**
 * The last that was said then.
 */
context: Array<Message>, 
/**
 * When.
 */
reportedAt: string, 
/**
 * When somebody looked after it; not there: nobody did.
 */
handledAt?: string, };

/**
 * Answer to `GET /api/rooms/{id}/reports`.
 */
export type ReportPage = { 
/**
 * The newest first.
 */
reports: Array<ReportEntry>, 
/**
 * The `before` of the next page; not there on the last one.
 */
next?: string, };

/**
 * A seat that is kept for somebody whose connection broke.
 */
export type Resume = { 
/**
 * From `room-state.self`, or the last `resumed`.
 */
resumeToken: string, 
/**
 * The `seq` of the last event that came; 0: nothing is known any more, not even the transports, and what was made
 * on the seat is closed.
 */
lastSeq: number, };

/**
 * Answer to `resume-consumer` and `resume-producer`.
 */
export type Resumed = { 
/**
 * Always true: what fails is refused.
 */
resumed: true, };

/**
 * What a participant may do.
 */
export type Role = "host" | "moderator" | "member" | "guest";

/**
 * Answer to `update-room`.
 */
export type RoomAnswer = { 
/**
 * As it is now.
 */
room: RoomInfo, };

/**
 * What opens a room: the `auth` of the namespace `/room`.
 */
export type RoomAuth = { 
/**
 * From `POST /api/guests`.
 */
token: string, 
/**
 * Which room.
 */
roomId: string, 
/**
 * The seat to come back to.
 */
resume?: Resume, 
/**
 * Of a private room.
 */
password?: string, 
/**
 * To a private room.
 */
invite?: string, };

/**
 * A room, to those who are in it.
 */
export type RoomInfo = { 
/**
 * Slug, `[a-z0-9-]{1,64}`.
 */
id: string, 
/**
 * For people.
 */
name: string, 
/**
 * For people; may be empty.
 */
topic: string, 
/**
 * BCP 47, such as `en`; empty: not said.
 */
language: string, 
/**
 * Who finds it, and who comes in.
 */
visibility: Visibility, 
/**
 * Seats.
 */
capacity: number, 
/**
 * Seats taken.
 */
occupancy: number, 
/**
 * Whether nobody else is let in.
 */
locked: boolean, 
/**
 * What is allowed in it.
 */
policy: Policy, 
/**
 * What who asks may do in it; only over REST, where it is asked for in somebody's name.
 */
role?: Role, 
/**
 * Its clock; only where rooms are looked for.
 */
timer?: Timer, };

/**
 * Answer to `GET /api/rooms`.
 */
export type RoomList = { 
/**
 * One page of them.
 */
rooms: Array<RoomInfo>, 
/**
 * The `cursor` of the next page; not there on the last one.
 */
next?: string, };

/**
 * How full a room is now.
 */
export type RoomOccupancy = { 
/**
 * Which.
 */
roomId: string, 
/**
 * Seats taken.
 */
occupancy: number, 
/**
 * Seats.
 */
capacity: number, };

/**
 * The first event of a seat: everything about the room but its producers, which follow one by one.
 */
export type RoomState = { 
/**
 * Who the receiver is.
 */
self: SelfInfo, 
/**
 * The room.
 */
room: RoomInfo, 
/**
 * Everybody in it, the receiver too.
 */
participants: Array<Participant>, 
/**
 * The clock.
 */
timer: Timer, 
/**
 * The last that was said, oldest first.
 */
messages: Array<Message>, 
/**
 * For the client's transports.
 */
iceServers: Array<IceServer>, 
/**
 * The server's clock.
 */
serverTimeMs: number, };

/**
 * The room is another one now.
 */
export type RoomUpdated = { 
/**
 * As it is now.
 */
room: RoomInfo, };

/**
 * Answer to `get-rtp-capabilities`.
 */
export type RtpCapabilitiesAnswer = { 
/**
 * For `device.load`.
 */
rtpCapabilities: unknown, };

/**
 * The receiver is back on their seat, with all that was made on it; what was missed comes next.
 */
export type SeatResumed = { 
/**
 * Their own id, the same as before.
 */
participantId: string, 
/**
 * To come back with the next time; the one before is dead with the first request.
 */
resumeToken: string, 
/**
 * The server's clock.
 */
serverTimeMs: number, };

/**
 * Who the receiver is.
 */
export type SelfInfo = { 
/**
 * Their own id.
 */
participantId: string, 
/**
 * What they may do.
 */
role: Role, 
/**
 * To come back to this seat with, when the connection broke; for nobody else.
 */
resumeToken: string, };

/**
 * `send-message`
 */
export type SendMessage = { 
/**
 * 1 to 1000 characters.
 */
content: string, 
/**
 * Text, where it is left out.
 */
type?: MessageType, };

/**
 * The server stops; the socket is closed next.
 */
export type ServerDraining = { 
/**
 * When to come again, at the earliest.
 */
reconnectInMs: number, };

/**
 * `set-goal`
 */
export type SetGoal = { 
/**
 * 1 to 200 characters; empty: none any more.
 */
text: string, };

/**
 * `set-preferred-layers`: the upper bound of what is sent.
 */
export type SetPreferredLayers = { 
/**
 * Which.
 */
consumerId: string, 
/**
 * 0 is the smallest.
 */
spatialLayer: number, 
/**
 * 0 is the slowest; left out: the fastest.
 */
temporalLayer?: number, };

/**
 * `set-status`
 */
export type SetStatus = { 
/**
 * What the participant is at.
 */
status: Status, };

/**
 * `set-viewport`: what is on the screen now. Other video is not sent.
 */
export type SetViewport = { 
/**
 * Every picture that is shown.
 */
tiles: Array<ViewportTile>, };

/**
 * Answer to `POST /api/auth/register`, `/login` and `/refresh`; a cookie with the refresh token comes with it.
 */
export type SignedIn = { 
/**
 * For `Authorization: Bearer` and the `auth` of the namespace `/room`.
 */
token: string, 
/**
 * When the token ends: RFC 3339, UTC.
 */
expiresAt: string, 
/**
 * Who.
 */
user: User, };

/**
 * What a producer shows or lets hear.
 */
export type Source = "mic" | "camera" | "screen" | "screen-audio";

/**
 * Answer to `get-stats`.
 */
export type StatsAnswer = { 
/**
 * For each thing asked for one or more objects, told apart by `type`: `webrtc-transport`; `producer` and its streams as
 * `inbound-rtp`; `consumer`, what it sends as `outbound-rtp`, and the stream that this is made of as `inbound-rtp`.
 */
stats: unknown[], };

/**
 * What somebody is at.
 */
export type Status = "focusing" | "break" | "away" | "dnd";

/**
 * How well a stream gets through, 0 to 10.
 */
export type StreamScore = { 
/**
 * Its RID; null where there is only one stream.
 */
rid: string | null, 
/**
 * 10 is perfect, 0: nothing comes.
 */
score: number, };

/**
 * A day, week or month, as far as it is in what was asked for.
 */
export type StudyPeriod = { 
/**
 * Its first day.
 */
start: string, 
/**
 * All that was studied.
 */
totalMs: number, 
/**
 * By a clock.
 */
focusMs: number, 
/**
 * Without one.
 */
freeMs: number, };

/**
 * One visit to a room.
 */
export type StudySession = { 
/**
 * Which.
 */
id: string, 
/**
 * Where.
 */
roomId: string, 
/**
 * As the room is called now; its id, where there is none any more.
 */
roomName: string, 
/**
 * When it began.
 */
startedAt: string, 
/**
 * Until when there was study.
 */
endedAt: string, 
/**
 * All that was studied.
 */
totalMs: number, 
/**
 * By a clock.
 */
focusMs: number, 
/**
 * Without one.
 */
freeMs: number, };

/**
 * Answer to `GET /api/study/sessions`.
 */
export type StudySessions = { 
/**
 * One page of them, the newest first.
 */
sessions: Array<StudySession>, 
/**
 * The `cursor` of the next page; not there on the last one.
 */
next?: string, };

/**
 * Answer to `GET /api/study/summary`.
 */
export type StudySummary = { 
/**
 * IANA name: where its days begin and end.
 */
timeZone: string, 
/**
 * The first moment.
 */
from: string, 
/**
 * The end; not in it any more.
 */
to: string, 
/**
 * All that was studied.
 */
totalMs: number, 
/**
 * By a clock.
 */
focusMs: number, 
/**
 * Without one.
 */
freeMs: number, 
/**
 * Every day, also those without study.
 */
days: Array<StudyPeriod>, 
/**
 * Every week; they begin on Monday.
 */
weeks: Array<StudyPeriod>, 
/**
 * Every month.
 */
months: Array<StudyPeriod>, 
/**
 * Days of study, one after the other until today or yesterday; rest days in between are passed over.
 */
currentStreakDays: number, 
/**
 * The most there ever were, as far back as is looked.
 */
longestStreakDays: number, 
/**
 * Goals that were ticked.
 */
goalsDone: number, };

/**
 * `POST /api/me/administrator`
 */
export type TakeAdministrator = { 
/**
 * As the server printed it into its log.
 */
code: string, };

/**
 * The clock of a room, at `serverTimeMs`.
 */
export type Timer = { 
/**
 * Whether it runs.
 */
state: TimerState, 
/**
 * What for.
 */
phase: PhaseKind, 
/**
 * All of its phases; after the last comes the first.
 */
phases: Array<Phase>, 
/**
 * Which of them it is in.
 */
index: number, 
/**
 * How often all were gone through.
 */
cycle: number, 
/**
 * When the phase ends, by the server's clock; only while it runs.
 */
endsAtMs?: number, 
/**
 * How much is left of the phase.
 */
remainingMs: number, 
/**
 * Who may control it.
 */
controlledBy: TimerControl, 
/**
 * The server's clock.
 */
serverTimeMs: number, };

/**
 * Answer to what changes the clock.
 */
export type TimerAnswer = { 
/**
 * As everybody got it.
 */
timer: Timer, };

/**
 * Who controls the clock.
 */
export type TimerControl = "host" | "everyone";

/**
 * `timer-start`; at most one of the two, else the clock starts with the phases it has.
 */
export type TimerStart = { 
/**
 * `25/5` or `50/10`.
 */
preset?: string, 
/**
 * 1 to 32 of them.
 */
phases?: Array<Phase>, };

/**
 * Whether the clock runs.
 */
export type TimerState = "idle" | "running" | "paused";

/**
 * Answer to `create-transport`.
 */
export type TransportAnswer = { 
/**
 * The transport.
 */
transport: TransportOptions, };

/**
 * `restart-ice`
 */
export type TransportIdOnly = { 
/**
 * Which.
 */
transportId: string, };

/**
 * What `createSendTransport` and `createRecvTransport` take.
 */
export type TransportOptions = { 
/**
 * Which.
 */
id: string, 
/**
 * The server's.
 */
iceParameters: unknown, 
/**
 * The server's.
 */
iceCandidates: unknown, 
/**
 * The server's.
 */
dtlsParameters: unknown, 
/**
 * May be empty.
 */
iceServers: Array<IceServer>, };

/**
 * `update-room`; what is left out stays.
 */
export type UpdateRoom = { 
/**
 * 1 to 80 characters.
 */
name?: string, 
/**
 * Up to 200 characters.
 */
topic?: string, 
/**
 * BCP 47.
 */
language?: string, 
/**
 * Seats; who sits keeps the seat.
 */
capacity?: number, 
/**
 * Whether nobody else is let in.
 */
locked?: boolean, 
/**
 * What is allowed.
 */
policy?: PolicyChange, };

/**
 * An account, to its owner.
 */
export type User = { 
/**
 * `u:` and the account's id.
 */
id: string, 
/**
 * Not there where only another site's login is used.
 */
email?: string, 
/**
 * In rooms from the next token on.
 */
displayName: string, 
/**
 * Whether this is an administrator.
 */
isAdmin: boolean, 
/**
 * IANA name, such as `Europe/Berlin`.
 */
timeZone: string, 
/**
 * Whether others see the time studied.
 */
onLeaderboard: boolean, 
/**
 * Days of the week that do not end a streak: bit 0 is Monday.
 */
restDays: number, 
/**
 * When it was made: RFC 3339, UTC.
 */
createdAt: string, };

/**
 * Somebody came.
 */
export type UserJoined = { 
/**
 * Who.
 */
participant: Participant, 
/**
 * Seats taken now.
 */
occupancy: number, };

/**
 * Somebody went.
 */
export type UserLeft = { 
/**
 * Who.
 */
participantId: string, 
/**
 * Seats taken now.
 */
occupancy: number, 
/**
 * Why.
 */
reason: LeaveReason, };

/**
 * Something about somebody changed; only what changed is there.
 */
export type UserUpdated = { 
/**
 * Who.
 */
participantId: string, 
/**
 * What they may do.
 */
role?: Role, 
/**
 * What they are at.
 */
status?: Status, 
/**
 * What they want to get done; null: nothing any more.
 */
goal?: Goal | null, 
/**
 * Whether they want to say something.
 */
handRaised?: boolean, 
/**
 * The microphone.
 */
audio?: Presence, 
/**
 * The camera.
 */
video?: Presence, 
/**
 * The shared screen.
 */
screen?: Presence, 
/**
 * How well their media get through.
 */
connection?: Connection, };

/**
 * A picture on the screen.
 */
export type ViewportTile = { 
/**
 * Whose.
 */
producerId: string, 
/**
 * In pixels of the device: CSS pixels times the device pixel ratio.
 */
width: number, 
/**
 * The same.
 */
height: number, 
/**
 * Whether it was chosen by its viewer: it comes before all others.
 */
pinned?: boolean, };

/**
 * Who finds a room, and who comes in.
 */
export type Visibility = "public" | "unlisted" | "private";

/**
 * Who wants to be let in; to hosts and moderators.
 */
export type Waiting = { 
/**
 * All of them, who came first first.
 */
people: Array<WaitingPerson>, };

/**
 * One of them.
 */
export type WaitingPerson = { 
/**
 * For `moderate` with `admit` or `reject`.
 */
id: string, 
/**
 * As typed; to be escaped where it is shown.
 */
displayName: string, };

/** Server → client, in a room. What is told again to who missed it carries a number beside, `seq`. */
export interface RoomEvents {
  'room-state': RoomState;
  'resumed': SeatResumed;
  'user-joined': UserJoined;
  'user-left': UserLeft;
  'user-updated': UserUpdated;
  'new-producer': NewProducer;
  'producer-closed': ProducerOf;
  'producer-paused': ProducerOf;
  'producer-resumed': ProducerOf;
  'consumer-closed': ConsumerClosed;
  'consumer-layers': ConsumerLayers;
  'consumer-score': ConsumerScore;
  'producer-score': ProducerScore;
  'publish-layers': PublishLayers;
  'bandwidth': Bandwidth;
  'active-speaker': ActiveSpeaker;
  'audio-levels': Array<ParticipantLevel>;
  'recommend-audio-only': RecommendAudioOnly;
  'new-message': Message;
  'chat-cleared': ChatCleared;
  'timer': Timer;
  'room-updated': RoomUpdated;
  'reaction': Reaction;
  'waiting': Waiting;
  'moderated': Moderated;
  'kicked': Kicked;
  'error': ErrorEvent;
  'server-draining': ServerDraining;
}

/** Server → client, in the lobby. */
export interface LobbyEvents {
  'lobby-state': LobbyState;
  'room-occupancy': RoomOccupancy;
  'server-draining': ServerDraining;
}

/** Client → server, in a room; each is answered through its acknowledgement. */
export interface RoomRequests {
  'get-rtp-capabilities': { payload: undefined; answer: RtpCapabilitiesAnswer };
  'create-transport': { payload: CreateTransport; answer: TransportAnswer };
  'connect-transport': { payload: ConnectTransport; answer: Connected };
  'produce': { payload: Produce; answer: ProduceAnswer };
  'consume': { payload: Consume; answer: ConsumeAnswer };
  'resume-consumer': { payload: ConsumerIds; answer: Resumed };
  'pause-consumer': { payload: ConsumerIds; answer: Paused };
  'close-producer': { payload: ProducerIdOnly; answer: Closed };
  'close-consumer': { payload: ConsumerIdOnly; answer: Closed };
  'pause-producer': { payload: ProducerIdOnly; answer: Paused };
  'resume-producer': { payload: ProducerIdOnly; answer: Resumed };
  'set-preferred-layers': { payload: SetPreferredLayers; answer: Okay };
  'set-viewport': { payload: SetViewport; answer: Okay };
  'request-key-frame': { payload: ConsumerIdOnly; answer: Okay };
  'restart-ice': { payload: TransportIdOnly; answer: IceParametersAnswer };
  'get-stats': { payload: GetStats; answer: StatsAnswer };
  'send-message': { payload: SendMessage; answer: MessageAnswer };
  'set-status': { payload: SetStatus; answer: Okay };
  'set-goal': { payload: SetGoal; answer: Okay };
  'complete-goal': { payload: CompleteGoal; answer: Okay };
  'raise-hand': { payload: RaiseHand; answer: Okay };
  'react': { payload: React; answer: Okay };
  'timer-start': { payload: TimerStart; answer: TimerAnswer };
  'timer-pause': { payload: undefined; answer: TimerAnswer };
  'timer-resume': { payload: undefined; answer: TimerAnswer };
  'timer-skip': { payload: undefined; answer: TimerAnswer };
  'timer-reset': { payload: undefined; answer: TimerAnswer };
  'moderate': { payload: Moderate; answer: Okay };
  'report': { payload: Report; answer: Okay };
  'update-room': { payload: UpdateRoom; answer: RoomAnswer };
  'clear-chat': { payload: undefined; answer: Okay };
  'leave': { payload: undefined; answer: Left };
}

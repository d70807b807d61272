/* Step 7 of the example, which the guide leaves to the reader: a receive transport, a consumer, and its resume. */
import * as mediasoupClient from 'mediasoup-client';

/** Consumers by producer, for the test to look at. */
export const consumers = new Map();

const emit = (socket, name, payload) =>
  new Promise((resolve, reject) => {
    const settle = (answer) =>
      answer.error === undefined ? resolve(answer) : reject(new Error(answer.error));
    if (payload === undefined) socket.emit(name, settle);
    else socket.emit(name, payload, settle);
  });

let receiving;

// Create receive transport if not exists
function receiver(socket) {
  receiving ??= (async () => {
    const { rtpCapabilities } = await emit(socket, 'get-rtp-capabilities');
    const device = new mediasoupClient.Device();
    await device.load({ routerRtpCapabilities: rtpCapabilities });
    const { transport } = await emit(socket, 'create-transport', { direction: 'recv' });
    const recvTransport = device.createRecvTransport(transport);
    recvTransport.on('connect', ({ dtlsParameters }, callback, errback) => {
      emit(socket, 'connect-transport', { transportId: recvTransport.id, dtlsParameters }).then(
        callback,
        errback,
      );
    });
    return { device, recvTransport };
  })();
  return receiving;
}

export async function receive(socket, { producerId, participantId, kind }) {
  const { device, recvTransport } = await receiver(socket);
  // Create consumer for this producer
  const { consumer: options } = await emit(socket, 'consume', {
    transportId: recvTransport.id,
    producerId,
    rtpCapabilities: device.rtpCapabilities,
  });
  const consumer = await recvTransport.consume(options);
  const element = document.createElement(kind);
  element.autoplay = true;
  element.playsInline = true;
  element.muted = kind === 'video';
  element.dataset.participantId = participantId;
  element.srcObject = new MediaStream([consumer.track]);
  document.body.append(element);
  consumers.set(producerId, consumer);
  // Resume consumer to start receiving
  await emit(socket, 'resume-consumer', { consumerId: consumer.id });
}

/* Joins a room by what the protocol asks for, then does what the example does. The page comes from elsewhere than the server. */
import { version } from 'mediasoup-client';
import { io } from 'socket.io-client';

import { start } from './example.js';
import { consumers } from './receive.js';

const settings = new URLSearchParams(location.search);

const server = settings.get('server');

const guest = await fetch(`${server}/api/guests`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ displayName: settings.get('name') }),
}).then((response) => response.json());

const socket = io(`${server}/room`, {
  auth: { token: guest.token, roomId: settings.get('room') },
  transports: [settings.get('transport')],
});
socket.on('connect_error', (error) => (document.title = error.message));
start(socket);

/** Frames decoded and sound heard, over everything that is received. */
window.received = async () => {
  const sum = { framesDecoded: 0, totalAudioEnergy: 0, version, transport: socket.io.engine.transport.name };
  for (const consumer of consumers.values()) {
    for (const entry of (await consumer.getStats()).values()) {
      if (entry.type !== 'inbound-rtp') continue;
      sum.framesDecoded += entry.framesDecoded ?? 0;
      sum.totalAudioEnergy += entry.totalAudioEnergy ?? 0;
    }
  }
  return sum;
};

/*
 * The client example of the integration guide, as it stands there. Three things had to be added for it to run:
 * `async` before the first callback (it awaits inside), a function around it all that hands in the socket, and the call
 * in place of the three comments of step 7.
 */
import * as mediasoupClient from 'mediasoup-client';

import { receive } from './receive.js';

export function start(socket) {
// 1. Get RTP capabilities
socket.emit('get-rtp-capabilities', async (response) => {
  const rtpCapabilities = response.rtpCapabilities;
  
  // 2. Create device
  const device = new mediasoupClient.Device();
  await device.load({ routerRtpCapabilities: rtpCapabilities });
  
  // 3. Create send transport
  socket.emit('create-transport', { direction: 'send' }, async (response) => {
    const sendTransport = device.createSendTransport(response.transport);
    
    // 4. Connect transport
    sendTransport.on('connect', ({ dtlsParameters }, callback) => {
      socket.emit('connect-transport', {
        transportId: sendTransport.id,
        dtlsParameters
      }, callback);
    });
    
    // 5. Produce media
    sendTransport.on('produce', ({ kind, rtpParameters }, callback) => {
      socket.emit('produce', {
        transportId: sendTransport.id,
        kind,
        rtpParameters
      }, ({ producerId }) => {
        callback({ id: producerId });
      });
    });
    
    // 6. Get user media and produce
    const stream = await navigator.mediaDevices.getUserMedia({
      video: true,
      audio: true
    });
    
    const videoTrack = stream.getVideoTracks()[0];
    const audioTrack = stream.getAudioTracks()[0];
    
    await sendTransport.produce({ track: videoTrack });
    await sendTransport.produce({ track: audioTrack });
  });
});

// 7. Listen for new producers from other participants
socket.on('new-producer', async ({ producerId, participantId, kind }) => {
  await receive(socket, { producerId, participantId, kind });
});
}

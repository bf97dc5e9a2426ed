/**
 * A platform that answers each utterance after 20 ms with the value of its samples: plain JavaScript, which starts in a
 * tenth of a second. Its parent sends the port, is told which one it is, and may kill it.
 */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const WAV_HEADER_BYTES = 44;
const server = createServer();
const sockets = new WebSocketServer({ server, maxPayload: 16 * 1_048_576 });
sockets.on('connection', (socket) => {
  socket.on('message', (data) => {
    const { payload } = JSON.parse(Buffer.concat([data].flat()).toString());
    const value = Buffer.from(payload.audioBase64, 'base64').readInt16LE(WAV_HEADER_BYTES + 80);
    setTimeout(() => socket.send(`heard ${value}`), 20);
  });
  socket.send('{"type":"info","payload":{"message":"Connected to realtime WebSocket server"}}');
});
process.on('disconnect', () => process.exit());
process.on('message', (port) => server.listen(port, '127.0.0.1', () => process.send(server.address().port)));
process.send('loaded');

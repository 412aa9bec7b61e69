// Listens where the endpoint of the fixture is and dials the ClusterIP: once as it is, once on a
// port that the Service has not. Plain sockets of this process, so the hooks of its cgroup decide.
import { createServer, connect } from 'node:net';

const server = createServer((socket) => socket.end('served'));
server.listen(8080, '10.64.1.21', () => {
  const socket = connect(80, '10.200.0.10');
  socket.on('data', (bytes) => {
    process.stdout.write(`${bytes}, peer ${socket.remoteAddress}:${socket.remotePort}\n`);
  });
  socket.on('error', (error) => process.stdout.write(`${error.code}\n`));
  socket.on('close', () => {
    connect(81, '10.200.0.10').on('error', (error) => {
      process.stdout.write(`refused: ${error.code}\n`);
      server.close();
    });
  });
});

// Listens on a LAN of the lab and asks it who has an address: `segment.ts DEVICE ADDRESS EVERY_MS`,
// in the namespace of a client. Each request carries a hardware address of its own, which every
// answer repeats, so that answers belong to their request whenever they arrive. Prints a line each:
// `ask REQUEST MICROS`, `answer REQUEST MAC` and `announce MICROS MAC OPCODE`, times of
// CLOCK_MONOTONIC. It ends with its standard input.
import { loadAddon, type Addon, type SocketHandle } from '../../bpf/native.real.ts';
import { broadcastMac, decodeArp, encodeArp, zeroMac, type ArpFrame } from '../../l2/frames.ts';
import { openDevices, readBytes, readSocket, type SocketAddon } from '../../lb/devices.real.ts';
import { ip, type Ip } from '../../lb/ip.ts';
import { monotonicMicros } from './probe.ts';

/** Marks hardware addresses that stand for the number of a request. */
const requestPrefix = '02:6c';

function requestMac(request: number): string {
  const octets = [request >>> 24, request >>> 16, request >>> 8, request];
  return [requestPrefix, ...octets.map((each) => (each & 255).toString(16).padStart(2, '0'))]
    .join(':');
}

function requestOf(mac: string): number | undefined {
  if (!mac.startsWith(`${requestPrefix}:`)) return undefined;
  return Number.parseInt(mac.slice(requestPrefix.length + 1).replaceAll(':', ''), 16);
}

/**
 * A probe of RFC 5227: it names no sender, so nobody learns a hardware address from it that is not
 * one.
 */
function question(request: number, target: Ip, mac: string): ArpFrame {
  return {
    kind: 'arp', ethSource: mac, ethTarget: broadcastMac, opcode: 1,
    senderMac: requestMac(request), senderIp: ip('0.0.0.0'), targetMac: zeroMac, targetIp: target,
  };
}

/** What a frame of the segment says about `target`, as a line; undefined for all else. */
function lineOf(frame: Uint8Array, target: Ip): string | undefined {
  const arp = decodeArp(frame);
  if (arp?.senderIp !== target) return undefined;
  const request = requestOf(arp.targetMac);
  if (arp.opcode === 2 && request !== undefined) return `answer ${request} ${arp.senderMac}`;
  if (arp.targetIp !== target) return undefined;
  return `announce ${monotonicMicros()} ${arp.senderMac} ${arp.opcode}`;
}

/** Lets ARP through (classic BPF, linux/filter.h). */
function arpFilter(): Uint8Array {
  const steps = [[0x28, 0, 0, 12], [0x15, 0, 1, 0x0806], [0x06, 0, 0, 0xffff], [0x06, 0, 0, 0]];
  const bytes = new Uint8Array(steps.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, [code = 0, whenTrue = 0, whenFalse = 0, value = 0]] of steps.entries()) {
    view.setUint16(index * 8, code, true);
    bytes[index * 8 + 2] = whenTrue;
    bytes[index * 8 + 3] = whenFalse;
    view.setUint32(index * 8 + 4, value, true);
  }
  return bytes;
}

function opened(addon: Addon, device: string): { socket: SocketHandle; mac: string } {
  const devices = openDevices<SocketHandle>(addon as SocketAddon<SocketHandle>);
  const found = devices.read().find(({ name }) => name === device);
  devices.close();
  if (found === undefined) throw new Error(`there is no device ${device} here`);
  const socket = addon.packetOpen(found.ifindex, 0, arpFilter());
  if (typeof socket === 'number') throw new Error(`a packet socket is refused: errno ${-socket}`);
  return { socket, mac: found.mac };
}

function run(device: string, target: Ip, everyMs: number): void {
  const loaded = loadAddon();
  if (!loaded.ok) throw new Error(loaded.error.text);
  const addon = loaded.value;
  const { socket, mac } = opened(addon, device);
  const room = new Uint8Array(readBytes);
  let asked = 0;
  addon.watch(socket, () => {
    const { arrived } = readSocket(addon as SocketAddon<SocketHandle>, socket, room);
    for (const { bytes } of arrived) {
      const line = lineOf(bytes, target);
      if (line !== undefined) process.stdout.write(`${line}\n`);
    }
  });
  const timer = setInterval(() => {
    const at = monotonicMicros();
    addon.socketSend(socket, encodeArp(question(asked, target, mac)));
    process.stdout.write(`ask ${asked} ${at}\n`);
    asked += 1;
  }, everyMs);
  process.stdin.resume();
  process.stdin.once('end', () => {
    clearInterval(timer);
    // Answers to the last request are on their way.
    setTimeout(() => process.stdout.write('', () => process.exit(0)), 50);
  });
}

if (import.meta.main) {
  const [device = '', address = '', every = '5'] = process.argv.slice(2);
  run(device, ip(address), Number(every));
}

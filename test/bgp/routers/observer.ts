import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Ip, Prefix } from '../../../lb/ip.ts';
import type { Heard, HeardRoute, ObservingPeer } from '../../contract/speaker.ts';
import {
  headerLength, message, messageType, openMessage, readOpen, readUpdate, type OpenOffer,
} from './wire.ts';

const dialMs = 50;

/** A router that writes down what it hears and announces nothing. */
export class Observer implements ObservingPeer {
  readonly address: Ip;
  readonly asn: number;
  readonly heard: Heard[] = [];
  readonly table = new Map<Prefix, HeardRoute>();
  established = false;
  #offer: OpenOffer;
  #target: { readonly address: Ip; readonly port: number };
  #server: Server;
  #socket: Socket | undefined;
  #rest = Buffer.alloc(0);
  #dialling: ReturnType<typeof setInterval> | undefined;
  #keepalive: ReturnType<typeof setInterval> | undefined;

  private constructor(
    at: { readonly address: Ip; readonly offer: OpenOffer },
    target: { readonly address: Ip; readonly port: number },
  ) {
    this.address = at.address;
    this.asn = at.offer.asn;
    this.#offer = at.offer;
    this.#target = target;
    this.#server = createServer((socket) => this.#take(socket));
  }

  /** It dials the speaker until it has a session, and takes one that is offered. */
  static async open(
    at: { readonly address: Ip; readonly offer: OpenOffer },
    target: { readonly address: Ip; readonly port: number },
  ): Promise<Observer> {
    const observer = new Observer(at, target);
    await new Promise<void>((resolve, reject) => {
      observer.#server.once('error', reject).listen({ host: at.address, port: 0 }, resolve);
    });
    observer.#dialling = setInterval(() => observer.#dial(), dialMs);
    return observer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Offers this hold time from the next session on. */
  offer(hold: number): void {
    this.#offer = { ...this.#offer, hold };
  }

  cut(): void {
    this.#socket?.resetAndDestroy();
  }

  close(): void {
    clearInterval(this.#dialling);
    clearInterval(this.#keepalive);
    this.#socket?.destroy();
    this.#server.close();
  }

  #dial(): void {
    if (this.#socket !== undefined) return;
    this.#take(connect({
      host: this.#target.address, port: this.#target.port, localAddress: this.address,
    }));
  }

  #take(socket: Socket): void {
    if (this.#socket !== undefined) return void socket.destroy();
    this.#socket = socket;
    this.#rest = Buffer.alloc(0);
    socket.on('data', (bytes) => this.#data(bytes));
    // Refusals and resets show as an end of the transport.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#ended(socket));
    const greet = (): void => void socket.write(openMessage(this.#offer));
    if (socket.connecting) socket.once('connect', greet);
    else greet();
  }

  #ended(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    clearInterval(this.#keepalive);
    this.table.clear();
    if (this.established) this.heard.push({ kind: 'closed' });
    this.established = false;
  }

  #data(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= headerLength) {
      const length = this.#rest.readUInt16BE(16);
      if (this.#rest.length < length) return;
      const body = this.#rest.subarray(headerLength, length);
      const type = this.#rest[18]!;
      this.#rest = this.#rest.subarray(length);
      this.#message(type, body);
    }
  }

  #message(type: number, body: Buffer): void {
    if (type === messageType.open) {
      this.heard.push(readOpen(body));
      this.#socket?.write(message(messageType.keepalive));
    } else if (type === messageType.keepalive && !this.established) {
      this.established = true;
      this.heard.push({ kind: 'established' });
      const every = Math.floor(this.#offer.hold * 1000 / 30);
      this.#keepalive = setInterval(() => {
        this.#socket?.write(message(messageType.keepalive));
      }, every);
    } else if (type === messageType.update) {
      for (const heard of readUpdate(body)) this.#learn(heard);
    } else if (type === messageType.notification) {
      this.heard.push({ kind: 'notification', code: body[0]!, subcode: body[1]! });
    }
  }

  #learn(heard: Heard): void {
    this.heard.push(heard);
    if (heard.kind === 'announce') this.table.set(heard.prefix, heard.route);
    if (heard.kind === 'withdraw') this.table.delete(heard.prefix);
  }
}

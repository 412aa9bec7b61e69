import { assert, err, ok, type Result } from '../../lb/result.ts';
import type { AttributeContext } from './attributes.ts';
import { notification, type BgpMessage, type Notification } from './message.ts';
import { afiOf, familyOfAfi, unicast } from './nlri.ts';
import { readOpen, writeOpen } from './open.ts';
import { readUpdate, writeUpdate } from './update.ts';
import { ByteReader, ByteWriter } from './wire.ts';

/** RFC 4271 4.1. */
export const headerLength = 19;
export const messageLengthMax = 4096;
const markerLength = 16;
const typeCodes = {
  open: 1, update: 2, notification: 3, keepalive: 4, 'route-refresh': 5,
} as const;
const lengthMin: ReadonlyMap<number, number> =
  new Map([[1, 29], [2, 23], [3, 21], [4, 19], [5, 23]]);

/** One message with its header, at most 4,096 bytes. */
export function encodeMessage(message: BgpMessage, context: AttributeContext): Uint8Array {
  const writer = new ByteWriter();
  for (let index = 0; index < markerLength; index += 1) writer.u8(0xff);
  writer.u16(0);
  writer.u8(typeCodes[message.kind]);
  switch (message.kind) {
    case 'open': writeOpen(writer, message); break;
    case 'update': writeUpdate(writer, message, context); break;
    case 'notification':
      writer.u8(message.code);
      writer.u8(message.subcode);
      writer.put(message.data ?? new Uint8Array(0));
      break;
    case 'route-refresh':
      writer.u16(afiOf[message.family]);
      writer.u8(0);
      writer.u8(unicast);
      break;
    case 'keepalive': break;
  }
  const bytes = writer.take();
  assert(bytes.length <= messageLengthMax, `${bytes.length} bytes make one message`);
  bytes[markerLength] = bytes.length >>> 8;
  bytes[markerLength + 1] = bytes.length;
  return bytes;
}

/** One whole message, header included, or the NOTIFICATION that answers it. */
export function decodeMessage(
  bytes: Uint8Array, context: AttributeContext,
): Result<BgpMessage, Notification> {
  const faulty = headerFault(bytes);
  if (faulty !== undefined) return err(faulty);
  const reader = new ByteReader(bytes.subarray(headerLength));
  switch (bytes[headerLength - 1]) {
    case typeCodes.open: return readOpen(reader);
    case typeCodes.update: return readUpdate(reader, context);
    case typeCodes.notification:
      return ok(notification(reader.u8(), reader.u8(), reader.take(reader.left).slice()));
    case typeCodes.keepalive: return ok({ kind: 'keepalive' });
    default: {
      const afi = reader.u16();
      reader.u8();
      // A family that is not spoken here is asked for in vain (RFC 2918 4).
      return ok({ kind: 'route-refresh', family: familyOfAfi(afi, reader.u8()) ?? 'IPv4' });
    }
  }
}

function headerFault(bytes: Uint8Array): Notification | undefined {
  if (bytes.subarray(0, markerLength).some((byte) => byte !== 0xff)) return notification(1, 1);
  const type = bytes[headerLength - 1] ?? 0;
  const length = lengthAt(bytes);
  const shortest = lengthMin.get(type);
  const wrong = length < (shortest ?? headerLength) || length > messageLengthMax ||
    (type === typeCodes.keepalive && length !== headerLength);
  if (wrong) return notification(1, 2, bytes.slice(markerLength, markerLength + 2));
  return shortest === undefined ? notification(1, 3, Uint8Array.of(type)) : undefined;
}

function lengthAt(bytes: Uint8Array): number {
  return (bytes[markerLength] ?? 0) * 0x100 + (bytes[markerLength + 1] ?? 0);
}

/** Cuts the bytes of a TCP stream into messages, however they arrive. */
export class MessageStream {
  #bytes = new Uint8Array(0);

  /** Adds what arrived and returns the messages that are whole now, each with its header. */
  push(bytes: Uint8Array): Uint8Array[] {
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    const messages: Uint8Array[] = [];
    let at = 0;
    while (all.length - at >= headerLength) {
      // A length that is none still ends the message, so that its decoder can refuse it.
      const length = Math.max(headerLength, lengthAt(all.subarray(at)));
      if (length <= messageLengthMax && all.length - at < length) break;
      messages.push(all.subarray(at, at + Math.min(length, all.length - at)));
      at += length;
    }
    this.#bytes = all.slice(Math.min(at, all.length));
    return messages;
  }
}

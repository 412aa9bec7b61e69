import { familyOf, ip, ipBytes, ipv4At, type Family } from '../../lb/ip.ts';
import { assert, err, ok, type Result } from '../../lb/result.ts';
import {
  notification, type Capabilities, type Notification, type OpenMessage, type RestartCapability,
} from './message.ts';
import { afiOf, familyOfAfi, unicast } from './nlri.ts';
import { ByteReader, type ByteWriter } from './wire.ts';

/** Stands for numbers that need four octets (RFC 6793 9). */
export const asTrans = 23456;
const version = 4;
const capabilityParameter = 2;
const codes = {
  multiProtocol: 1, routeRefresh: 2, extendedNextHop: 5, gracefulRestart: 64, fourOctetAsn: 65,
} as const;
const restartBits = { restarting: 8, notification: 4 } as const;
const forwardingBit = 0x80;

export function writeOpen(writer: ByteWriter, open: OpenMessage): void {
  assert(familyOf(open.routerId) === 'IPv4', `${open.routerId} is a BGP identifier`);
  writer.u8(version);
  writer.u16(open.asn > 0xffff ? asTrans : open.asn);
  writer.u16(open.holdTime);
  writer.put(ipBytes(open.routerId));
  writer.sized(8, () => {
    writer.u8(capabilityParameter);
    writer.sized(8, () => writeCapabilities(writer, open));
  });
}

function writeCapabilities(writer: ByteWriter, { asn, asn4, capabilities }: OpenMessage): void {
  const one = (code: number, body: () => void): void => {
    writer.u8(code);
    writer.sized(8, body);
  };
  for (const family of capabilities.families) {
    one(codes.multiProtocol, () => {
      writer.u16(afiOf[family]);
      writer.u8(0);
      writer.u8(unicast);
    });
  }
  if (capabilities.routeRefresh) one(codes.routeRefresh, () => undefined);
  if (capabilities.extendedNextHop) {
    one(codes.extendedNextHop, () => {
      writer.u16(afiOf.IPv4);
      writer.u16(unicast);
      writer.u16(afiOf.IPv6);
    });
  }
  const { restart } = capabilities;
  if (restart !== undefined) one(codes.gracefulRestart, () => writeRestart(writer, restart));
  if (asn4) one(codes.fourOctetAsn, () => writer.u32(asn));
}

function writeRestart(writer: ByteWriter, restart: RestartCapability): void {
  const bits = (restart.restarting ? restartBits.restarting : 0) |
    (restart.notification ? restartBits.notification : 0);
  writer.u16((bits << 12) | restart.time);
  for (const { family, forwarding } of restart.families) {
    writer.u16(afiOf[family]);
    writer.u8(unicast);
    writer.u8(forwarding ? forwardingBit : 0);
  }
}

/** An OPEN without its header, or the NOTIFICATION that answers it (RFC 4271 6.2). */
export function readOpen(reader: ByteReader): Result<OpenMessage, Notification> {
  if (reader.u8() !== version) return err(notification(2, 1, Uint8Array.of(0, version)));
  const small = reader.u16();
  const holdTime = reader.u16();
  const routerId = ipv4At(reader.take(4), 0);
  const parameters = reader.part(reader.u8());
  if (reader.short || parameters.short) return err(notification(2, 0));
  if (holdTime === 1 || holdTime === 2) return err(notification(2, 6));
  if (routerId === ip('0.0.0.0')) return err(notification(2, 3));
  const found = readParameters(parameters);
  if (!found.ok) return found;
  const { asn4, ...capabilities } = found.value;
  const asn = asn4 ?? small;
  if (asn === 0) return err(notification(2, 2));
  const open = { kind: 'open', asn, asn4: asn4 !== undefined, holdTime, routerId } as const;
  return ok({ ...open, capabilities });
}

interface Found extends Capabilities {
  readonly asn4: number | undefined;
}

function readParameters(parameters: ByteReader): Result<Found, Notification> {
  const families: Family[] = [];
  let [routeRefresh, extendedNextHop] = [false, false];
  let asn4: number | undefined;
  let restart: RestartCapability | undefined;
  while (parameters.left > 0) {
    const kind = parameters.u8();
    const body = parameters.part(parameters.u8());
    if (body.short) return err(notification(2, 0));
    if (kind !== capabilityParameter) return err(notification(2, 4));
    while (body.left > 0) {
      const code = body.u8();
      const value = body.part(body.u8());
      if (value.short) return err(notification(2, 0));
      if (code === codes.multiProtocol) {
        const family = readMultiProtocol(value);
        if (family !== undefined && !families.includes(family)) families.push(family);
      } else if (code === codes.routeRefresh) routeRefresh = true;
      else if (code === codes.extendedNextHop) extendedNextHop ||= readNextHops(value);
      else if (code === codes.gracefulRestart) restart = readRestart(value);
      else if (code === codes.fourOctetAsn) asn4 = value.u32();
    }
  }
  const found = { families, routeRefresh, extendedNextHop, asn4 };
  return ok(restart === undefined ? found : { ...found, restart });
}

function readMultiProtocol(value: ByteReader): Family | undefined {
  const afi = value.u16();
  value.u8();
  return familyOfAfi(afi, value.u8());
}

function readNextHops(value: ByteReader): boolean {
  while (value.left >= 6) {
    const [afi, safi, nextHopAfi] = [value.u16(), value.u16(), value.u16()];
    if (afi === afiOf.IPv4 && safi === unicast && nextHopAfi === afiOf.IPv6) return true;
  }
  return false;
}

function readRestart(value: ByteReader): RestartCapability {
  const head = value.u16();
  const families: { family: Family; forwarding: boolean }[] = [];
  while (value.left >= 4) {
    const family = familyOfAfi(value.u16(), value.u8());
    const forwarding = (value.u8() & forwardingBit) !== 0;
    if (family !== undefined) families.push({ family, forwarding });
  }
  const bits = head >>> 12;
  return {
    restarting: (bits & restartBits.restarting) !== 0,
    notification: (bits & restartBits.notification) !== 0,
    time: head & 0x0fff,
    families,
  };
}

/** A family list as it counts: an OPEN without the capability speaks IPv4 alone (RFC 4760 8). */
export function familiesOf({ families }: Capabilities): readonly Family[] {
  return families.length === 0 ? ['IPv4'] : families;
}


import { bytes, decode, encode, string, type Fields, type Write } from './protobuf.ts';

/** Places whose content the two majors wrap in different ways. */
export type Slot = 'nlri' | 'attribute' | 'capability';

/** Messages in such places, as far as the adapter knows them. */
export type Kind =
  | 'IPAddressPrefix' | 'OriginAttribute' | 'NextHopAttribute' | 'LocalPrefAttribute'
  | 'CommunitiesAttribute' | 'LargeCommunitiesAttribute'
  | 'GracefulRestartCapability' | 'ExtendedNexthopCapability';

export interface Unwrapped {
  readonly kind: Kind;
  readonly content: Uint8Array;
}

/** What differs between the APIs of GoBGP 3 and 4 (bgp.md 5.2). */
export interface Dialect {
  readonly major: 3 | 4;
  /** Full name of the service. */
  readonly service: string;
  readonly globalTable: number;
  readonly matchAny: number;
  readonly community: { readonly remove: number; readonly replace: number };
  readonly definedType: { readonly neighbour: number; readonly large: number };
  wrap(slot: Slot, message: Unwrapped): Uint8Array;
  /** Undefined for what the adapter does not read. */
  unwrap(slot: Slot, wrapped: Uint8Array): Unwrapped | undefined;
}

/** Numbers of v4's oneofs; the kinds' names are those of the types that v3 puts into an Any. */
const numbers: Readonly<Record<Slot, readonly (readonly [Kind, number])[]>> = {
  nlri: [['IPAddressPrefix', 1]],
  attribute: [
    ['OriginAttribute', 2], ['NextHopAttribute', 4], ['LocalPrefAttribute', 6],
    ['CommunitiesAttribute', 9], ['LargeCommunitiesAttribute', 21],
  ],
  capability: [['ExtendedNexthopCapability', 5], ['GracefulRestartCapability', 6]],
};

const anyMessage = { type_url: string(1), value: bytes(2) };
const typePrefix = 'type.googleapis.com/apipb.';

export const v3: Dialect = {
  major: 3,
  service: 'apipb.GobgpApi',
  globalTable: 0,
  matchAny: 0,
  community: { remove: 1, replace: 2 },
  definedType: { neighbour: 1, large: 6 },
  wrap: (_, { kind, content }) => (
    encode(anyMessage, { type_url: `${typePrefix}${kind}`, value: content })
  ),
  unwrap: (slot, wrapped) => {
    const { type_url: type, value } = decode(anyMessage, wrapped);
    const known = numbers[slot].find(([kind]) => type === `${typePrefix}${kind}`);
    return known && { kind: known[0], content: value ?? new Uint8Array() };
  },
};

export const v4: Dialect = {
  major: 4,
  service: 'api.GoBgpService',
  globalTable: 1,
  matchAny: 1,
  community: { remove: 2, replace: 3 },
  definedType: { neighbour: 2, large: 7 },
  wrap: (slot, { kind, content }) => {
    const [, number = 0] = numbers[slot].find(([known]) => known === kind) ?? [];
    return encode({ content: bytes(number) }, { content });
  },
  unwrap: (slot, wrapped) => {
    for (const [kind, number] of numbers[slot]) {
      const { content } = decode({ content: bytes(number) }, wrapped);
      if (content !== undefined) return { kind, content };
    }
    return undefined;
  },
};

/** Encodes one message and wraps it. */
export function wrapped<F extends Fields>(
  dialect: Dialect, { slot, kind, fields }: {
    readonly slot: Slot; readonly kind: Kind; readonly fields: F;
  }, value: Write<F>,
): Uint8Array {
  return dialect.wrap(slot, { kind, content: encode(fields, value) });
}

import type { Dialect } from '../../../bgp/gobgp/dialect.ts';
import {
  addPathStreamRequest, assignmentMessage, definedSetRequest, deletePathRequest, deletePeerRequest,
  globalMessage, listAssignmentRequest, listByName, listDefinedSetRequest, listPathRequest,
  listPathResponse, listPeerRequest, peerMessage, policyRequest, statementRequest,
  watchEventResponse,
} from '../../../bgp/gobgp/messages.ts';
import { familyOfMessage, readPath } from '../../../bgp/gobgp/pathform.ts';
import { pathKey } from '../../../bgp/gobgp/rib.ts';
import { decode, encode, type Fields, type Write } from '../../../bgp/gobgp/protobuf.ts';
import type {
  RpcCall, RpcChannel, RpcError, RpcPort, RpcSink,
} from '../../../bgp/gobgp/rpc.ts';
import { familyOf, type Prefix } from '../../../lb/ip.ts';
import type { Clock } from '../../../lb/ports.ts';
import { err, ok, type Result } from '../../../lb/result.ts';

type Peer = NonNullable<Write<typeof peerMessage>['peer']>;
type Path = NonNullable<Write<typeof addPathStreamRequest>['paths']>[number];
type Statement = NonNullable<Write<typeof statementRequest>['statement']>;

/** A refusal that only has a text, as the daemon gives them (G1). */
class Refusal extends Error {
  override readonly name = 'Refusal';
}

/**
 * A GoBGP daemon without BGP: its API with the behaviour that was measured on 3.10 and 4.8, above
 * all what it refuses, appends and forgets (bgp.md 5.5). Replies come 100 µs after calls.
 */
export class FakeGobgp implements RpcPort {
  readonly dialect: Dialect;
  /** Procedures in the order of their calls. */
  readonly calls: { readonly name: string; readonly value: any }[] = [];
  readonly peers = new Map<string, Peer>();
  readonly paths = new Map<Prefix, Path>();
  readonly sets = new Map<string, string[]>();
  readonly statements = new Map<string, Statement>();
  readonly policies = new Map<string, string[]>();
  readonly assignments = { 1: [] as string[], 2: [] as string[] };
  readonly defaults = { 1: 1, 2: 1 };
  global: Write<typeof globalMessage>['global'] = undefined;
  running = true;
  /** Refuses calls; asked before each, streams too. */
  fault: (name: string) => RpcError | undefined = () => undefined;
  /** Loses fields of statements that it is told of, as another version would (G30). */
  forgetsConditions = false;
  #clock: Clock;
  #watchers = new Set<RpcSink>();

  constructor(clock: Clock, dialect: Dialect) {
    this.#clock = clock;
    this.dialect = dialect;
  }

  open(): RpcChannel {
    let closed = false;
    const later = (run: () => void): void => {
      this.#clock.after(100, () => { if (!closed) run(); });
    };
    return {
      unary: (call, done) => later(() => done(this.#serve(call, () => this.#unary(call)))),
      upload: (call, messages, done) => later(() => done(this.#serve(call, () => {
        for (const message of messages) this.#addPaths(message);
        return new Uint8Array();
      }))),
      stream: (call, sink) => {
        later(() => this.#stream(call, sink));
        return () => { closed = true; };
      },
      close: () => { closed = true; },
    };
  }

  /** The process ends: it forgets everything, and whoever listened hears of it. */
  crash(): void {
    this.running = false;
    this.#forget();
    for (const sink of [...this.#watchers]) {
      this.#watchers.delete(sink);
      sink.end(err({ kind: 'unavailable', text: 'it is gone' }));
    }
  }

  #forget(): void {
    this.global = undefined;
    for (const map of [this.peers, this.paths, this.sets, this.statements, this.policies]) {
      map.clear();
    }
    this.assignments[1] = [];
    this.assignments[2] = [];
  }

  /** A session changes; `told` false: the event is lost (G31). */
  session(address: string, state: number, told = true): void {
    const peer = this.peers.get(address);
    if (peer === undefined) throw new Error(`no peer ${address}`);
    this.peers.set(address, { ...peer, state: { ...peer.state, session_state: state } });
    if (told) this.event({ type: 3, peer: this.#shown(address, this.peers.get(address)!) });
  }

  event(peer: NonNullable<Write<typeof watchEventResponse>['peer']>): void {
    for (const sink of this.#watchers) sink.message(encode(watchEventResponse, { peer }));
  }

  /** Canonical text of every path, by prefix. */
  table(): Record<string, string> {
    const entries = [...this.paths].map(([prefix, path]) => {
      const read = readPath(this.dialect, decode({ ...addPathStreamRequest }, encode(
        addPathStreamRequest, { paths: [path] },
      )).paths[0]!);
      return [prefix, pathKey(read!.state)] as const;
    });
    return Object.fromEntries(entries.toSorted(([left], [right]) => (left < right ? -1 : 1)));
  }

  count(name: string): number {
    return this.calls.filter((call) => call.name === name).length;
  }

  #serve(call: RpcCall, run: () => Uint8Array): Result<Uint8Array, RpcError> {
    const refused = this.#refused(call);
    if (refused !== undefined) return err(refused);
    try {
      return ok(run());
    } catch (thrown) {
      if (thrown instanceof Refusal) return err({ kind: 'other', text: thrown.message });
      throw thrown;
    }
  }

  #refused({ method }: RpcCall): RpcError | undefined {
    const [, service = '', name = ''] = method.split('/');
    if (!this.running) return { kind: 'unavailable', text: 'nobody listens' };
    if (service !== this.dialect.service) return { kind: 'unimplemented', text: service };
    return this.fault(name);
  }

  #heard<F extends Fields>(name: string, fields: F, request: Uint8Array): any {
    const value = decode(fields, request);
    this.calls.push({ name, value });
    return value;
  }

  #unary({ method, request }: RpcCall): Uint8Array {
    const name = method.split('/')[2]!;
    const none = new Uint8Array();
    switch (name) {
      case 'GetBgp':
        this.calls.push({ name, value: {} });
        return encode(globalMessage, { global: this.global ?? {} });
      case 'StartBgp':
        this.global = this.#heard(name, globalMessage, request).global;
        return none;
      case 'StopBgp':
        this.calls.push({ name, value: {} });
        this.#forget();
        return none;
      case 'AddPeer': {
        const { peer } = this.#heard(name, peerMessage, request);
        const address = peer.conf.neighbor_address;
        if (this.peers.has(address)) throw new Refusal('can not overwrite the existing peer');
        this.peers.set(address, { ...peer, state: { session_state: 1 } });
        return none;
      }
      case 'DeletePeer': {
        const { address } = this.#heard(name, deletePeerRequest, request);
        if (!this.peers.delete(address)) throw new Refusal('not found');
        return none;
      }
      case 'DeletePath': {
        const { family, path } = this.#heard(name, deletePathRequest, request);
        if (path !== undefined) throw new Refusal('no test deletes one path so');
        for (const prefix of [...this.paths.keys()]) {
          if (familyOf(prefix) === familyOfMessage(family)) this.paths.delete(prefix);
        }
        return none;
      }
      default:
        this.#policyCall(name, request);
        return none;
    }
  }

  #policyCall(name: string, request: Uint8Array): void {
    if (name.endsWith('DefinedSet')) return this.#setCall(name, request);
    if (name.endsWith('Assignment')) return this.#assignmentCall(name, request);
    if (name === 'DeleteStatement') {
      const { statement } = this.#heard(name, statementRequest, request);
      if ([...this.policies.values()].some((of) => of.includes(statement.name))) {
        throw new Refusal('statement in use');
      }
      if (!this.statements.delete(statement.name)) throw new Refusal('not found');
      return;
    }
    const { policy, all } = this.#heard(name, policyRequest, request);
    const known = this.policies.get(policy.name);
    if (name === 'AddPolicy') {
      for (const statement of policy.statements) {
        if (this.statements.has(statement.name)) {
          throw new Refusal(`statement ${statement.name} already defined`);
        }
      }
      for (const statement of policy.statements) {
        this.statements.set(statement.name, this.forgetsConditions
          ? { ...statement, conditions: {} } : statement);
      }
      const names = policy.statements.map((statement: Statement) => statement.name!);
      this.policies.set(policy.name, [...known ?? [], ...names]);
      return;
    }
    if (known === undefined) throw new Refusal('not found policy');
    const gone = policy.statements.map((statement: Statement) => statement.name);
    if (all) {
      if (this.assignments[2].includes(policy.name)) throw new Refusal('policy in use');
      for (const statement of known) this.statements.delete(statement);
      this.policies.delete(policy.name);
    } else this.policies.set(policy.name, known.filter((one) => !gone.includes(one)));
  }

  #setCall(name: string, request: Uint8Array): void {
    const { defined_set: set } = this.#heard(name, definedSetRequest, request);
    const key = `${set.defined_type} ${set.name}`;
    if (name === 'AddDefinedSet') {
      this.sets.set(key, [...this.sets.get(key) ?? [], ...set.list]);
      return;
    }
    const used = [...this.statements.values()].some(({ conditions }) => (
      conditions?.neighbor_set?.name === set.name
        || conditions?.large_community_set?.name === set.name
    ));
    if (used) throw new Refusal('set in use');
    if (!this.sets.delete(key)) throw new Refusal('not found');
  }

  #assignmentCall(name: string, request: Uint8Array): void {
    const { assignment } = this.#heard(name, assignmentMessage, request);
    const way: 1 | 2 = assignment.direction;
    const names = assignment.policies.map((policy: { name: string }) => policy.name);
    // Every one of these calls overwrites it (G27).
    this.defaults[way] = assignment.default_action;
    const before = this.assignments[way];
    if (name === 'SetPolicyAssignment') this.assignments[way] = names;
    else if (name === 'AddPolicyAssignment') this.assignments[way] = [...before, ...names];
    else this.assignments[way] = before.filter((one) => !names.includes(one));
  }

  #addPaths(message: Uint8Array): void {
    const { paths } = this.#heard('AddPathStream', addPathStreamRequest, message);
    for (const path of paths) {
      const read = readPath(this.dialect, path);
      if (read === undefined) throw new Refusal('no prefix');
      if (path.is_withdraw) this.paths.delete(read.prefix);
      else this.paths.set(read.prefix, path);
    }
  }

  #stream(call: RpcCall, sink: RpcSink): void {
    const refused = this.#refused(call);
    if (refused !== undefined) return sink.end(err(refused));
    const { method, request } = call;
    const name = method.split('/')[2]!;
    if (name === 'WatchEvent') {
      this.calls.push({ name, value: {} });
      this.#watchers.add(sink);
      return;
    }
    for (const reply of this.#listing(name, request)) sink.message(reply);
    sink.end(ok(undefined));
  }

  #listing(name: string, request: Uint8Array): readonly Uint8Array[] {
    switch (name) {
      case 'ListPeer': {
        const { address } = this.#heard(name, listPeerRequest, request);
        return [...this.peers].filter(([of]) => address === '' || of === address)
          .map(([of, peer]) => encode(peerMessage, { peer: this.#shown(of, peer) }));
      }
      case 'ListPath': {
        const { family } = this.#heard(name, listPathRequest, request);
        return [...this.paths].filter(([of]) => familyOf(of) === familyOfMessage(family))
          .map(([prefix, path]) => (
            encode(listPathResponse, { destination: { prefix, paths: [path] } })
          ));
      }
      case 'ListPolicy': {
        const { name: wanted } = this.#heard(name, listByName, request);
        return [...this.policies.keys()].filter((of) => wanted === '' || of === wanted)
          .map((of) => encode(policyRequest, { policy: this.#policy(of) }));
      }
      case 'ListStatement':
        return [...this.statements.values()].map((of) => (
          encode(statementRequest, { statement: of })
        ));
      case 'ListDefinedSet': {
        const { defined_type: type } = this.#heard(name, listDefinedSetRequest, request);
        return [...this.sets].filter(([key]) => key.startsWith(`${type} `))
          .map(([key, list]) => encode(definedSetRequest, { defined_set: {
            // With anchors added, as 3.10 lists patterns (G30).
            defined_type: type, name: key.split(' ')[1]!, list: list.map((of) => `^${of}$`),
          } }));
      }
      case 'ListPolicyAssignment': {
        const { direction } = this.#heard(name, listAssignmentRequest, request);
        const way: 1 | 2 = direction;
        return [encode(assignmentMessage, { assignment: {
          name: 'global', direction: way, default_action: this.defaults[way],
          policies: this.assignments[way].map((of) => this.#policy(of)),
        } })];
      }
      default: throw new Error(`no test expects ${name}`);
    }
  }

  #policy(name: string): { name: string; statements: Statement[] } {
    return {
      name, statements: (this.policies.get(name) ?? []).map((of) => this.statements.get(of)!),
    };
  }

  #shown(address: string, peer: Peer): Peer {
    return { ...peer, state: { peer_asn: peer.conf?.peer_asn ?? 0, ...peer.state,
      neighbor_address: address } };
  }
}

import { err, ok } from '../../lb/result.ts';
import { compareText } from '../../lb/table.ts';
import { inOrder, together, type GobgpClient, type Step } from './client.ts';
import {
  addPathStreamRequest, listByName, policyRequest, statement, type PolicyMessage,
} from './messages.ts';
import { pathMessage, withdrawMessage } from './pathform.ts';
import { policyName } from './names.ts';
import { addPeerPolicy, addStatements, dropStatements, statements } from './policies.ts';
import { decode, encode, type Write } from './protobuf.ts';
import type { RibPlan, RibTable } from './ribtable.ts';
import type { RpcDone } from './rpc.ts';

/** Paths in one message of AddPathStream. */
const pathsPerMessage = 500;

type PathMessages = readonly NonNullable<Write<typeof addPathStreamRequest>['paths']>[number][];

/**
 * Carries a plan out, in its order, and tells the table of each step that succeeded. Every path
 * goes through one stream, withdraws too: it knows no path by less than its prefix, so that it
 * cannot empty a table by mistake (G24).
 */
export function writePlan(
  client: GobgpClient, { table, plan }: { readonly table: RibTable; readonly plan: RibPlan },
  done: RpcDone,
): void {
  const { dialect } = client;
  const { withdraws, policies, paths, unused } = plan;
  const specs = plan.statements;
  const touched = new Set([
    ...policies.map(({ peer }) => peer.index), ...specs.map(({ target }) => target.index),
  ]);
  inOrder([
    upload(client, withdraws.map((prefix) => withdrawMessage(dialect, prefix))),
    told(() => table.withdrawn(withdraws)),
    ...policies.flatMap(({ peer, spec }): Step[] => [
      addPeerPolicy(client, { index: peer.index, neighbour: peer.neighbour, spec }),
      told(() => table.installed([spec])),
    ]),
    addStatements(client, specs),
    told(() => table.installed(specs)),
    (next) => together([...touched].map((index) => verify(client, table, index)), next),
    upload(client, paths.map(({ prefix, state }) => pathMessage(dialect, prefix, state))),
    told(() => table.written(paths)),
    dropStatements(client, unused),
    told(() => table.uninstalled(unused)),
  ], done);
}

function told(tell: () => void): Step {
  return (done) => {
    tell();
    done(ok(undefined));
  };
}

function upload(client: GobgpClient, paths: PathMessages): Step {
  return (done) => {
    if (paths.length === 0) return done(ok(undefined));
    const messages = [];
    for (let at = 0; at < paths.length; at += pathsPerMessage) {
      messages.push({
        table_type: client.dialect.globalTable, paths: paths.slice(at, at + pathsPerMessage),
      });
    }
    client.upload({ name: 'AddPathStream', fields: addPathStreamRequest, messages }, done);
  };
}

/**
 * Reads a policy back: a daemon drops fields that it does not know in silence, and a condition that
 * is missing would tell routes to the wrong peer (G30).
 */
export function verify(client: GobgpClient, table: RibTable, index: number): Step {
  return (done) => client.list({
    name: 'ListPolicy', fields: listByName, value: { name: policyName(index) },
  }, policyRequest, (reply) => {
    if (!reply.ok) return done(reply);
    const found = reply.value.find(({ policy }) => policy?.name === policyName(index))?.policy;
    if (found !== undefined && likeInstalled(client, table, found)) return done(ok(undefined));
    done(err({ kind: 'unimplemented', text: `policy ${policyName(index)} is not as it was set` }));
  });
}

/** Whether a listed policy has the statements that the table believes in, in whatever order. */
export function likeInstalled(
  client: GobgpClient, table: RibTable, policy: PolicyMessage,
): boolean {
  const index = Number(policy.name.slice(policyName(0).length - 1));
  const expected = table.specsOf(index).flatMap((spec) => statements(client.dialect, spec))
    // As a daemon that knows every field would list it.
    .map((of) => JSON.stringify(decode(statement, encode(statement, of))));
  const found = policy.statements.map((of) => JSON.stringify(of));
  return expected.length === found.length
    && expected.toSorted(compareText).join('\n') === found.toSorted(compareText).join('\n');
}

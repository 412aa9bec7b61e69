import test from 'ava';
import { TokenReviews } from '../../cli/daemon/tokenreview.ts';
import type { KubeError, KubePort } from '../../kube/port.ts';
import { err, ok } from '../../lb/result.ts';

type Verdict = { readonly authenticated: boolean; readonly audiences: readonly string[] };

/** An API server that says one thing at a time, and how often it was asked. */
function reviews(verdict: Verdict | KubeError['kind']) {
  const at = { verdict, asked: [] as unknown[] };
  const kube: KubePort = {
    request: (request, done) => {
      at.asked.push('body' in request ? request.body : undefined);
      const { verdict: said } = at;
      setImmediate(() => done(typeof said === 'string'
        ? err({ kind: said, message: '' })
        : ok({ kind: 'object', object: { status: said } })));
    },
    watch: () => ({ cancel: () => undefined }),
  };
  return { at, tokens: new TokenReviews(kube) };
}

const good: Verdict = { authenticated: true, audiences: ['fairlead-agent'] };

test('a token for our audience is good, and remembered', async (t) => {
  const { at, tokens } = reviews(good);
  t.true(await tokens.good('Bearer abc'));
  t.true(await tokens.good('Bearer abc'));
  t.deepEqual(at.asked, [{
    apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', metadata: {},
    spec: { token: 'abc', audiences: ['fairlead-agent'] },
  }]);
});

const refused = test.macro({
  exec: async (t, header: string | undefined, verdict: Verdict | KubeError['kind']) => {
    t.false(await reviews(verdict).tokens.good(header));
  },
  title: (_, header, verdict) => `${header} is refused where ${JSON.stringify(verdict)} is said`,
});

test(refused, undefined, good);
test(refused, 'Basic abc', good);
test(refused, 'Bearer ', good);
test(refused, 'Bearer a b', good);
test(refused, 'Bearer abc', { authenticated: false, audiences: [] });
test(refused, 'Bearer abc', { authenticated: true, audiences: ['https://kubernetes.default'] });
test(refused, 'Bearer abc', 'denied');
test(refused, 'Bearer abc', 'unreachable');

test('what was refused is asked about again', async (t) => {
  const { at, tokens } = reviews({ authenticated: false, audiences: [] });
  t.false(await tokens.good('Bearer abc'));
  at.verdict = good;
  t.true(await tokens.good('Bearer abc'));
});

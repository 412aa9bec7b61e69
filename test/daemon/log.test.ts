import test from 'ava';
import { Log, type LogSettings } from '../../cli/daemon/log.ts';
import type { JournalEntry } from '../../lb/ports.ts';

interface Written {
  readonly log: Log;
  readonly lines: string[];
  now: number;
}

function written(settings: Partial<LogSettings> = {}): Written {
  const lines: string[] = [];
  const at: Written = {
    lines, now: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    log: new Log({
      settings: { level: 'info', format: 'json', components: {}, ...settings }, node: 'n1',
      write: (line) => void lines.push(line), now: () => at.now, measure: () => undefined,
    }),
  };
  return at;
}

const entry: JournalEntry = {
  level: 'info', component: 'l2', code: 'l2.announced', object: '192.0.2.1', text: 'it answers',
};

test('a line is one JSON object with its fields in order', (t) => {
  const { log, lines } = written();
  log.note(entry);
  log.note({ ...entry, object: 'service media/jellyfin', text: 'two\nlines' });
  t.deepEqual(lines, [
    '{"ts":"2026-01-02T03:04:05.006Z","level":"info","msg":"it answers","component":"l2",'
      + '"node":"n1","reason":"l2.announced","ip":"192.0.2.1"}\n',
    '{"ts":"2026-01-02T03:04:05.006Z","level":"info","msg":"two\\nlines","component":"l2",'
      + '"node":"n1","reason":"l2.announced","service":"media/jellyfin"}\n',
  ]);
});

test('as text it is for people', (t) => {
  const { log, lines } = written({ format: 'text' });
  log.note(entry);
  t.deepEqual(lines, [
    '2026-01-02T03:04:05.006Z info  l2 l2.announced 192.0.2.1: it answers\n',
  ]);
});

test('a component may have a level of its own, and another one at run time', (t) => {
  const { log, lines } = written({ level: 'warn', components: { l2: 'debug' } });
  log.note({ ...entry, level: 'debug' });
  log.note({ ...entry, component: 'ipam' });
  t.is(lines.length, 1);
  log.settings = { ...log.settings, level: 'info', components: { l2: 'error' } };
  log.note({ ...entry, text: 'not told' });
  log.note({ ...entry, component: 'ipam' });
  t.is(lines.length, 2);
});

test('an equal line is told once a minute, with how many there were', (t) => {
  const at = written();
  for (let second = 0; second < 130; second += 1) {
    at.log.note(entry);
    at.now += 1_000;
  }
  t.deepEqual(at.lines.map((line) => JSON.parse(line).repeats), [undefined, 59, 59]);
  at.log.note({ ...entry, text: 'another' });
  t.is(at.lines.length, 4);
});

import test from 'ava';
import { parseEndpoint } from '../../kube/endpoint.ts';

const reads = test.macro({
  exec: (t, text: string, expected: string) => {
    const parsed = parseEndpoint(text);
    t.true(parsed.ok, text);
    if (!parsed.ok) return;
    const { origin, base, name } = parsed.value;
    t.is(`${origin} ${base} ${name}`.replaceAll(/ +/gu, ' '), expected);
  },
  title: (_, text) => `${text} is an endpoint`,
});

test(reads, '192.0.2.1:6443', 'https://192.0.2.1:6443 192.0.2.1:6443');
test(reads, 'api.example.com', 'https://api.example.com:443 api.example.com:443');
test(reads, '[2001:db8::1]:6443', 'https://[2001:db8::1]:6443 [2001:db8::1]:6443');
test(reads, 'http://127.0.0.1:8001/', 'http://127.0.0.1:8001 127.0.0.1:8001');
test(reads, 'http://localhost', 'http://localhost:80 localhost:80');
test(reads, 'https://gate:1/k8s/clusters/a/', 'https://gate:1 /k8s/clusters/a gate:1');

const refuses = test.macro({
  exec: (t, text: string, expected: RegExp) => {
    const parsed = parseEndpoint(text);
    t.false(parsed.ok);
    if (!parsed.ok) t.regex(parsed.error, expected);
  },
  title: (_, text) => `'${text}' is no endpoint`,
});

for (const text of [
  '', ':6443', 'ftp://192.0.2.1', 'unix:///run/api', 'user@host:1', 'https://host?x=1', 'a b:1',
  '2001:db8::1', 'host:', 'host:port', 'https://',
]) test(refuses, text, /^expected host:port or a URL of http or https, got '/u);
test(refuses, 'host:65536', /^expected a port from 1 to 65535, got 65536$/u);
test(refuses, 'host:0', /port from 1 to 65535, got 0$/u);

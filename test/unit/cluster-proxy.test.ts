import { expect, test } from 'vitest';
import { proxyFor } from '../../src/bridge/cluster/proxy.ts';

const proxy = 'http://proxy:3128';

test('the scheme of the server chooses the variable, upper case first', () => {
  const env = { HTTPS_PROXY: 'http://upper:1', https_proxy: 'http://lower:1', http_proxy: 'http://plain:1' };

  expect(proxyFor('https://api.example.com', env)).toBe('http://upper:1');
  expect(proxyFor('https://api.example.com', { https_proxy: 'http://lower:1' })).toBe('http://lower:1');
  expect(proxyFor('http://api.example.com', env)).toBe('http://plain:1');
  expect(proxyFor('https://api.example.com', {})).toBeNull();
});

test('a proxy without a scheme speaks http', () => {
  expect(proxyFor('https://api.example.com', { HTTPS_PROXY: 'proxy:3128' })).toBe(proxy);
  expect(proxyFor('https://api.example.com', { HTTPS_PROXY: 'socks5://proxy:1080' })).toBe(
    'socks5://proxy:1080',
  );
});

test('loopback never goes through a proxy', () => {
  for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '[::1]'])
    expect(proxyFor(`https://${host}:6443`, { HTTPS_PROXY: proxy })).toBeNull();
});

test.for<[string, string, boolean]>([
  ['*', 'https://api.example.com', true],
  ['example.com', 'https://example.com', true],
  ['example.com', 'https://api.example.com', true],
  ['example.com', 'https://notexample.com', false],
  ['.example.com', 'https://api.example.com', true],
  ['.example.com', 'https://example.com', false],
  ['*.example.com', 'https://api.example.com', true],
  ['EXAMPLE.com', 'https://Api.example.com', true],
  ['other, example.com', 'https://api.example.com', true],
  ['example.com:6443', 'https://api.example.com:6443', true],
  ['example.com:443', 'https://api.example.com', true],
  ['example.com:443', 'https://api.example.com:6443', false],
  ['10.0.0.0/8', 'https://10.20.30.40:6443', true],
  ['10.0.0.0/8', 'https://11.0.0.1', false],
  ['10.0.0.0/99', 'https://10.0.0.1', false],
  ['10.1.2.3', 'https://10.1.2.3', true],
  ['10.1.2.3:6443', 'https://10.1.2.3:6443', true],
  ['10.1.2.3', 'https://110.1.2.3', false],
  ['2001:db8::/32', 'https://[2001:db8::1]:6443', true],
  ['2001:db8::1', 'https://[2001:db8::1]:6443', true],
  ['[2001:db8::1]:6443', 'https://[2001:db8::1]:6443', true],
  ['', 'https://api.example.com', false],
  [' , ,', 'https://api.example.com', false],
])('NO_PROXY=%s and %s: direct is %s', ([rules, server, direct]) => {
  expect(proxyFor(server, { HTTPS_PROXY: proxy, NO_PROXY: rules }) === null).toBe(direct);
  expect(proxyFor(server, { HTTPS_PROXY: proxy, no_proxy: rules }) === null).toBe(direct);
});

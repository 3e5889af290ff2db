import { generate } from 'selfsigned';

const { cert, private: key } = await generate([{ name: 'commonName', value: 'fake-kube-api' }], {
  keyType: 'ec',
  extensions: [
    { name: 'basicConstraints', cA: true },
    {
      name: 'subjectAltName',
      altNames: [
        { type: 7, ip: '127.0.0.1' },
        { type: 2, value: 'localhost' },
      ],
    },
  ],
});

/** A self-signed certificate for 127.0.0.1 and localhost, made anew for each run: nothing trusts it. */
export const certificate = cert;
export const privateKey = key;

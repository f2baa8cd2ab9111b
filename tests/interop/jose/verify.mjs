// What npm's jose says about tokens. The first line of the input is the configuration, every other
// one a token as JSON text; the answer to each is one line: `null`, or the code of the refusal.

import { createInterface } from "node:readline";

import { createLocalJWKSet, jwtVerify } from "jose";

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
let verify;

for await (const line of lines) {
  if (verify === undefined) {
    const { jwks, issuers, audiences, skew } = JSON.parse(line);
    const keys = createLocalJWKSet(jwks);
    const options = {
      algorithms: ["RS256"],
      issuer: issuers,
      audience: audiences,
      requiredClaims: ["exp", "iss", "aud"],
      clockTolerance: skew,
    };
    verify = (token) => jwtVerify(token, keys, options);
    continue;
  }
  let verdict = null;
  try {
    await verify(JSON.parse(line));
  } catch (error) {
    verdict = error.code ?? error.name;
  }
  process.stdout.write(`${JSON.stringify(verdict)}\n`);
}

// MSAL for Node, driven by lines. Each line of the input is a call as JSON text; the answer to each is one
// line: what MSAL has got, or the error that it has thrown.

import { createInterface } from "node:readline";

import { ConfidentialClientApplication } from "@azure/msal-node";

const apps = new Map();

// The members of `auth` for each kind of credential.
const credentials = {
  secret: ({ secret }) => ({ clientSecret: secret }),
  certificate: ({ key, certificate, sha1, sha256 }) => ({
    clientCertificate: { privateKey: key, x5c: certificate, thumbprint: sha1, thumbprintSha256: sha256 },
  }),
  assertion: ({ assertion }) => ({ clientAssertion: assertion }),
  // Another app, which gets the assertion whenever this one needs it.
  exchange_token: ({ blueprint, scope, agent }) => ({
    clientAssertion: async () => {
      const request = { scopes: [scope], fmiPath: agent };
      return (await apps.get(blueprint).acquireTokenByClientCredential(request)).accessToken;
    },
  }),
};

const calls = {
  app({ app, client_id, authority, known, credential, capabilities }) {
    const auth = {
      clientId: client_id,
      authority,
      knownAuthorities: [known],
      clientCapabilities: capabilities,
      ...credentials[credential.kind](credential),
    };
    apps.set(app, new ConfidentialClientApplication({ auth }));
    return undefined;
  },
  as_itself: ({ app, scopes, fmi_path, claims }) =>
    apps.get(app).acquireTokenByClientCredential({ scopes, fmiPath: fmi_path, claims }),
  on_behalf_of: ({ app, assertion, scopes, claims }) =>
    apps.get(app).acquireTokenOnBehalfOf({ oboAssertion: assertion, scopes, claims }),
  as_user: ({ app, assertion, scopes, username, object_id, claims }) =>
    apps.get(app).acquireTokenByUserFederatedIdentityCredential({
      assertion,
      scopes,
      username,
      userObjectId: object_id,
      claims,
    }),
  async silently({ app, scopes, force }) {
    const [account] = await apps.get(app).getTokenCache().getAllAccounts();
    return apps.get(app).acquireTokenSilent({ account, scopes, forceRefresh: force });
  },
};

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { call, ...parameters } = JSON.parse(line);
  let answer;
  try {
    const got = await calls[call](parameters);
    answer = got && {
      token: got.accessToken,
      from_cache: got.fromCache,
      scopes: got.scopes,
      id_claims: got.idTokenClaims,
      account: got.account?.homeAccountId,
    };
  } catch (error) {
    const { name, errorCode, errorMessage, subError, errorNo, claims, correlationId } = error;
    answer = { thrown: { name, errorCode, errorMessage, subError, errorNo, claims, correlationId } };
  }
  process.stdout.write(`${JSON.stringify(answer ?? {})}\n`);
}

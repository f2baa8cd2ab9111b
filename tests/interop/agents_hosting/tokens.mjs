// The Microsoft 365 Agents SDK for Node, driven by lines. Each line of the input is a call as JSON text; the
// answer to each is one line: the result, or the error that the SDK has thrown. A call's answer may come before
// that of an earlier one, so each has the `id` of its call.

import { createInterface } from "node:readline";

import { SidecarAuthProvider } from "@microsoft/agents-hosting";

const clients = new Map();

const calls = {
  client({ client, settings }) {
    clients.set(client, new SidecarAuthProvider(settings));
    return null;
  },
  is_healthy: ({ client }) => clients.get(client).isHealthy(),
  connection_token: ({ client, scope }) => clients.get(client).getAccessToken(scope),
  application_token: ({ client, tenant, agent }) => clients.get(client).getAgenticApplicationToken(tenant, agent),
  instance_token: ({ client, tenant, agent }) => clients.get(client).getAgenticInstanceToken(tenant, agent),
  user_token: ({ client, tenant, agent, user, scopes }) =>
    clients.get(client).getAgenticUserToken(tenant, agent, user, scopes),
};

async function answer({ id, call, ...parameters }) {
  try {
    return { id, result: await calls[call](parameters) };
  } catch (error) {
    const { code, description, message } = error;
    return { id, thrown: { code, description, message } };
  }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  answer(JSON.parse(line)).then((found) => process.stdout.write(`${JSON.stringify(found)}\n`));
}

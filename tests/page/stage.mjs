// The example `entra`, a browser, and a page that is watched.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

import { chromium } from "playwright-core";

/** The most milliseconds that any one thing may take. */
export const LIMIT = 15_000;

/** A running look-alike: its URL, what is registered, and how to end it. */
export async function startEntra() {
  const program = spawn(process.env.ENTRA, ["--json"], {
    env: { PORT: "0" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  process.on("exit", () => program.kill());
  const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
  const { value: first } = await lines.next();
  const url = first.replace("listening on ", "");
  const { value: second } = await lines.next();
  return { url, registered: JSON.parse(second), stop: () => program.kill() };
}

export function startBrowser() {
  const args = [
    // A name of the internet that leads here, as in DNS rebinding.
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",
    "--disable-background-networking",
    "--no-proxy-server",
  ];
  if (process.getuid() === 0) args.push("--no-sandbox");
  return chromium.launch({ executablePath: process.env.CHROMIUM, args, timeout: 60_000 });
}

/** The page in a window, and everything about it that must not happen. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB", ...options });
  context.setDefaultTimeout(LIMIT);
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: url });
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => {
    // Chromium reports each refused token request, which is what the tests want.
    const isAnswer = message.text().startsWith("Failed to load resource: the server responded with a status");
    if (["error", "warning"].includes(message.type()) && !isAnswer) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.route("**/*", (route) => {
    const asked = new URL(route.request().url());
    if (asked.origin === url || asked.protocol === "data:") return route.continue();
    problems.push(`a request left for ${asked.origin}`);
    return route.abort();
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`violates ${event.violatedDirective}`));
  });
  const response = await page.goto(url);
  assert.equal(response.status(), 200);
  await page.getByRole("heading", { name: "Blueprint" }).waitFor();
  return { page, problems, response };
}

/** What a shell prints for these lines. */
export async function shell(lines) {
  const { stdout } = await promisify(execFile)("bash", ["-euc", lines], { timeout: LIMIT });
  return stdout;
}

/** Claims of a token. */
export const claimsOf = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));

/** Sends a token request, as any client does: status and body. */
export async function requestToken({ url, registered }, form) {
  const body = new URLSearchParams(form);
  const response = await fetch(`${url}/${registered.tenant_id}/oauth2/v2.0/token`, { method: "POST", body });
  return { status: response.status, body: await response.json() };
}

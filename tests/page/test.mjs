// The look-alike's page, as a person uses it. The last line says how many tests passed and failed.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import path from "node:path";

import { LIMIT, claimsOf, openPage, requestToken, shell, startBrowser, startEntra } from "./stage.mjs";

const entra = await startEntra();
const { url, registered } = entra;
const browser = await startBrowser();
const { page, problems, response } = await openPage(browser, url);

const card = (heading) => page.locator(".card").filter({ has: page.getByRole("heading", { name: heading, exact: true }) });
const click = (heading, button) => card(heading).getByRole("button", { name: button }).click();
const token = page.getByRole("region", { name: "Token:" });
const requests = page.getByRole("region", { name: "Token requests" }).getByRole("listitem");
const sees = (locator, text) => locator.filter({ hasText: text }).first().waitFor();
const claim = async (name) => (await token.getByRole("table", { name: "Claims" }).getByRole("row").filter({
  has: page.getByRole("rowheader", { name, exact: true }) }).innerText()).replaceAll(/\s+/g, " ");
const toggle = (name) => page.getByRole("switch", { name });
const keys = () => page.locator("#keys").innerText();
const client = { client_id: registered.client.client_id, client_secret: registered.client.secret,
  grant_type: "client_credentials", scope: `${registered.apis[0].resource}/.default` };

const tests = {
  async "a visitor sees who is registered and what each may do"() {
    for (const { client_id: id } of [registered.blueprint, registered.client, ...registered.agents]) {
      await sees(page.locator(".card"), id);
    }
    await sees(card("alice"), registered.person.object_id);
    await sees(card("orders-agent"), "orders-agent@example.com");
    await sees(card("Blueprint"), registered.blueprint.secret);
    const [api] = registered.apis;
    await sees(card("Agent 1"), `${api.resource}: role Orders.Read.All, scope Orders.Read (consented to by everyone)`);
    assert.match(await page.getByRole("combobox").innerText(), new RegExp(registered.apis[1].resource));
  },

  async "one click gets the token of an agent that acts for a person, taken apart"() {
    await click("Agent 1", "On behalf of alice");
    const agent = registered.agents[0].client_id;
    await sees(token.locator(".verdict"), `Who would be calling: The agent ${agent} (Agent 1) acts on behalf of the person `
      + `${registered.person.object_id} (alice).`);
    assert.match(await claim("azp"), new RegExp(`${agent} .*: Agent 1`));
    assert.match(await claim("xms_act_fct"), /11 is an agent identity/);
    assert.match(await claim("xms_sub_fct"), /neither 11 nor 13/);
    assert.match(await claim("exp"), new RegExp(`expires \\d{1,2} \\w{3,4} ${new Date().getFullYear()}, \\d\\d:\\d\\d`));
    const caller = await token.getByLabel("The caller", { exact: true }).innerText();
    assert.match(caller, /agent_on_behalf_of_user/);
    assert.match(caller, /Orders\.Read/);
    assert.match(caller, new RegExp(`${registered.blueprint.client_id} \\(Blueprint\\)`));
  },

  async "every caller's button gets the token of that caller"() {
    for (const [heading, button, sentence] of [
      ["alice", "For the API", /The person .* \(alice\) acts through the client .* \(Client\)/],
      ["alice", "For the blueprint", /The person .* \(alice\) acts through the client .* \(Client\)/],
      ["Client", "As itself", /The app .* \(Client\) acts as itself/],
      ["Agent 1", "As itself", /The agent .* \(Agent 1\) acts as itself/],
      ["Agent 2", "As itself", /The agent .* \(Agent 2\) acts as itself/],
      ["orders-agent", "Through its agent", /The agent .* \(Agent 1\) acts through its own user account .* \(orders-agent\)/],
      ["Blueprint", "T1, for an agent", /No API admits this token/],
      ["Agent 1", "T2", /No API admits this token/],
    ]) {
      await click(heading, button);
      await sees(token.locator(".verdict"), sentence);
    }
  },

  async "the copied curl lines get the same token in a shell"() {
    for (const [heading, button, claims] of [
      ["orders-agent", "Through its agent", { azp: registered.agents[0].client_id, oid: registered.agent_user.object_id }],
      ["Agent 1", "On behalf of alice", { azp: registered.agents[0].client_id, oid: registered.person.object_id }],
      ["Client", "As itself", { azp: registered.client.client_id, idtyp: "app" }],
      ["alice", "For the API", { azp: registered.client.client_id, oid: registered.person.object_id }],
    ]) {
      await click(heading, button);
      await sees(token.locator(".verdict"), "Who would be calling");
      await token.getByRole("button", { name: "Copy: The same with curl" }).click();
      await token.getByRole("button", { name: "Copied" }).or(token.getByText("Copied")).first().waitFor();
      const lines = await page.evaluate(() => navigator.clipboard.readText());
      const found = claimsOf(JSON.parse(await shell(lines)).access_token);
      for (const [name, value] of Object.entries(claims)) assert.equal(found[name], value, `${button}: ${name}`);
    }
  },

  async "a token request of another client appears with its outcome, and without its secret"() {
    const before = await requests.count();
    assert.equal((await requestToken(entra, client)).status, 200);
    await page.waitForFunction((before) => document.querySelectorAll("#list > li").length > before, before);
    await sees(requests.first(), /App as itself, by Client\s*granted/);
    await requests.first().locator("summary").click();
    // A request of the test before may still come on top of it.
    const row = requests.filter({ has: page.locator("details[open]") });
    await sees(row.locator("dl"), client.scope);
    const parameters = await row.locator("dl").innerText();
    assert.match(parameters, /client_secret\s+\[cut\]/);
    assert.ok(!(await row.innerText()).includes(client.client_secret));
  },

  async "a refused token request appears with its reason"() {
    const { status } = await requestToken(entra, { ...client, client_secret: "wrong" });
    assert.equal(status, 401);
    await sees(requests.first(), /refused\s*AADSTS7000215: /);
    await sees(page.locator("#announced"), "AADSTS7000215");
  },

  async "a request with hostile texts is shown as text"() {
    const evil = "<img src=//evil.example onerror=alert(1)>";
    await requestToken(entra, { ...client, client_id: evil });
    await sees(requests.first(), evil);
    const claims = Buffer.from(JSON.stringify({ [evil]: evil, aud: evil, exp: 1e300 })).toString("base64url");
    await page.getByLabel("A token from elsewhere").fill(`Bearer e30.${claims}.AAAA`);
    await page.getByRole("button", { name: "Take it apart" }).click();
    await sees(token.locator(".verdict"), "No API admits this token.");
    await sees(token.getByRole("table", { name: "Claims" }), evil);
    assert.equal(await page.locator("img").count(), 0);
  },

  async "a fault of one answer is seen by the next client and no other"() {
    await page.getByRole("button", { name: "Once: the status 429 with Retry-After: 5" }).click();
    await sees(page.getByLabel("Faults in force"), "Token requests get the status 429 with Retry-After: 5, once");
    await click("Client", "As itself");
    await sees(token.getByRole("listitem"), /fault AADSTS90033.*429, retry after 5 s/);
    await sees(requests.first(), "Fault: the client got the status 429 with Retry-After: 5.");
    await sees(page.getByLabel("Faults in force"), "None is in force.");
    await click("Client", "As itself");
    await sees(token.locator(".verdict"), "acts as itself");
  },

  async "a page in the place of a token is told apart, and a silent Entra can be given up"() {
    await page.getByRole("button", { name: "Once: a sign-in page in HTML" }).click();
    await sees(page.getByLabel("Faults in force"), "a sign-in page in HTML");
    await click("Client", "As itself");
    await sees(token.getByRole("listitem"), "The answer is no token: 200, text/html");
    await page.getByRole("button", { name: "Always: no answer" }).click();
    await sees(page.getByLabel("Faults in force"), "Token requests get no answer, always");
    await click("Client", "As itself");
    await sees(token.getByRole("listitem"), "waiting");
    await page.getByRole("button", { name: "Restore all" }).click();
    await sees(page.getByLabel("Faults in force"), "None is in force.");
    await click("Client", "As itself");
    await sees(token.locator(".verdict"), "acts as itself");
  },

  async "each rule that is switched on refuses, with its reason, and no longer when it is off"() {
    for (const [name, code] of [
      ["Consents are withdrawn", "AADSTS65001"],
      ["A policy demands multifactor authentication", "AADSTS50076"],
      ["A policy blocks the API", "AADSTS53003"],
      ["The blueprint's secret has expired", "AADSTS7000222"],
      ["The person's account is disabled", "AADSTS50057"],
    ]) {
      await toggle(name).click();
      await sees(page.getByLabel("Faults in force"), name);
      await click("Agent 1", "On behalf of alice");
      await sees(token.getByRole("listitem"), new RegExp(`refused ${code}`));
      await sees(requests.first(), code);
      await toggle(name).click();
      await sees(page.getByLabel("Faults in force"), "None is in force.");
      await click("Agent 1", "On behalf of alice");
      await sees(token.locator(".verdict"), "on behalf of");
    }
  },

  async "all rules are put back at once, as they were"() {
    const before = await card("Agent 1").innerText();
    for (const name of ["Consents are withdrawn", "The blueprint's secret has expired"]) await toggle(name).click();
    await sees(card("Agent 1"), "consent withdrawn");
    await sees(card("Blueprint"), "expired");
    await page.getByRole("button", { name: "Restore all" }).click();
    await sees(page.getByLabel("Faults in force"), "None is in force.");
    assert.equal(await card("Agent 1").innerText(), before);
    assert.equal(await toggle("Consents are withdrawn").isChecked(), false);
  },

  async "an API to which nothing is granted refuses a token with a person"() {
    await page.getByRole("combobox").selectOption({ value: registered.apis[1].resource });
    await click("Agent 1", "On behalf of alice");
    await sees(token.getByRole("listitem"), "AADSTS65001");
    await click("alice", "For the API");
    await sees(token.getByRole("listitem"), "there is no consent");
    await page.getByRole("combobox").selectOption({ value: registered.apis[0].resource });
  },

  async "after a rotation of the keys new tokens are admitted"() {
    assert.equal(await keys(), "1 key is published.");
    await page.getByRole("button", { name: "Rotate the keys" }).click();
    await sees(page.locator("#keys"), "2 keys are published.");
    await click("Agent 2", "As itself");
    await sees(token.locator(".verdict"), "(Agent 2) acts as itself");
  },

  async "the page can be used with the keyboard"() {
    await page.getByRole("combobox").focus();
    for (const expected of ["For the API: alice through the client", "For the blueprint: alice for the blueprint", "As itself: Client as itself"]) {
      await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), expected);
    }
    await page.keyboard.press("Enter");
    await sees(token.locator(".verdict"), "(Client) acts as itself");
    await toggle("Consents are withdrawn").focus();
    await page.keyboard.press("Space");
    await sees(page.getByLabel("Faults in force"), "Consents are withdrawn");
    await page.keyboard.press("Space");
    await sees(page.getByLabel("Faults in force"), "None is in force.");
    assert.equal(await toggle("Consents are withdrawn").evaluate((input) => document.activeElement === input), true);
  },

  async "every control has a name"() {
    const controls = page.locator("button, select, textarea, input");
    for (const control of await controls.all()) {
      const name = await control.evaluate((of) => of.getAttribute("aria-label") || of.getAttribute("aria-labelledby")
        || of.textContent.trim() || of.labels?.[0]?.textContent);
      assert.ok(name, await control.evaluate((of) => of.outerHTML));
    }
  },

  async "a name of the internet that leads to this machine gets nothing"() {
    const context = await browser.newContext();
    const other = await context.newPage();
    const rebound = url.replace("127.0.0.1", "rebound.example");
    for (const target of ["/", "/page/state"]) {
      const answer = await other.goto(rebound + target);
      assert.equal(answer.status(), 403, target);
      assert.ok(!(await answer.text()).includes(registered.blueprint.secret));
    }
    assert.equal((await other.goto(url.replace("127.0.0.1", "localhost"))).status(), 200);
    await context.close();
  },

  async "a page of another origin can neither read, change nor frame this one"() {
    const server = createServer((_, answer) => {
      answer.setHeader("Content-Type", "text/html");
      answer.end(`<!DOCTYPE html><title>evil</title><iframe src="${url}/"></iframe>`);
    });
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    const context = await browser.newContext();
    try {
      const before = await keys();
      const other = await context.newPage();
      await other.goto(`http://127.0.0.1:${server.address().port}/`);
      const outcomes = await other.evaluate(async (base) => {
        const reads = (path, options) => fetch(base + path, options).then(() => "read", () => "refused");
        const json = { "Content-Type": "application/json" };
        return [
          await reads("/page/state"),
          await reads("/page/rotate", { method: "POST", body: "{}" }),
          await reads("/page/rotate", { method: "POST", body: "{}", headers: json }),
          await reads("/page/rotate", { method: "POST", body: "{}", mode: "no-cors" }).then(() => "refused"),
        ];
      }, url);
      assert.deepEqual(outcomes, Array(4).fill("refused"));
      const frame = other.frames()[1];
      assert.equal(await frame.locator("h1", { hasText: "look-alike" }).count(), 0);
      for (const origin of [`http://127.0.0.1:${server.address().port}`, "https://rebound.example", "null"]) {
        const answer = await fetch(`${url}/page/rotate`, { method: "POST", body: "{}",
          headers: { "Content-Type": "application/json", Origin: origin } });
        assert.equal(answer.status, 403, origin);
      }
      const { keys: published } = await (await fetch(`${url}/page/state`)).json();
      assert.equal(before, `${published} keys are published.`);
    } finally {
      server.close();
      await context.close();
    }
  },

  async "neither markup nor a script from elsewhere comes into the page"() {
    const policy = response.headers()["content-security-policy"];
    for (const part of ["default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]) {
      assert.ok(policy.split("; ").includes(part), policy);
    }
    assert.ok(!policy.includes("unsafe"), policy);
    const { page: own, problems: violations } = await openPage(browser, url);
    const outcome = await own.evaluate(() => {
      window.ran = false;
      try { document.body.innerHTML = "<b>evil</b>"; return "markup"; } catch { /* as it should be */ }
      const script = document.createElement("script");
      try { script.textContent = "window.ran = true"; document.body.append(script); } catch { /* too */ }
      return window.ran;
    });
    assert.equal(outcome, false);
    await own.evaluate(() => fetch("https://evil.example/").catch(() => {}));
    assert.ok(violations.some((text) => text.includes("connect-src")), violations.join("\n"));
    assert.ok(!violations.some((text) => text.startsWith("a request left")), violations.join("\n"));
    await own.context().close();
  },

  async "the page is legible in a wide and a narrow window, light and dark"() {
    for (const width of [1280, 380]) {
      for (const colorScheme of ["light", "dark"]) {
        const { page: own, problems: seen } = await openPage(browser, url, { viewport: { width, height: 900 }, colorScheme });
        await own.getByRole("button", { name: "On behalf of alice: Agent 1" }).click();
        await own.locator(".verdict").waitFor();
        await own.waitForTimeout(300);
        const [scrolled, inner] = await own.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert.ok(scrolled <= inner, `${scrolled} px of text in ${inner} px`);
        const box = await own.locator(".verdict").boundingBox();
        assert.ok(box.y >= 0 && box.y < 500, `the verdict is at ${box.y} px`);
        const picture = (name) => path.join(process.env.SCREENSHOTS, `${width}-${colorScheme}${name}.png`);
        await own.screenshot({ path: picture("-token") });
        await own.screenshot({ path: picture(""), fullPage: true });
        assert.deepEqual(seen, []);
        await own.context().close();
      }
    }
  },

  async "the page says when the look-alike is gone"() {
    const other = await startEntra();
    const { page: own } = await openPage(browser, other.url);
    other.stop();
    await own.getByRole("alert").filter({ hasText: "does not answer" }).waitFor();
    await own.context().close();
  },

  async "until now no request has left the origin, and the browser has complained about nothing"() {
    assert.deepEqual(problems, []);
  },
};

let passed = 0;
let failed = 0;
const chosen = Object.entries(tests).filter(([name]) => process.argv.slice(2).every((word) => name.includes(word)));
for (const [name, test] of chosen) {
  const begun = Date.now();
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(reject, 4 * LIMIT, new Error("it takes too long")); });
  try {
    await Promise.race([test(), late]);
    passed += 1;
    console.log(`ok    ${name} (${Date.now() - begun} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}\n${error.stack}`);
    await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `failed-${failed}.png`), fullPage: true }).catch(() => {});
  } finally {
    clearTimeout(timer);
  }
}
await browser.close();
entra.stop();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

// Import by file and by pasted text, the answer to a request among them; OpenSSL is the certificate authority.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch, logIn, section, visitor } from "./browser.mjs";
import { start } from "./server.mjs";

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([start(), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "with the script" : "without JavaScript";
  const mark = javaScriptEnabled ? "js" : "plain";
  test(`the answer to a request is imported on its own page, ${how}`, async () => {
    const { context, page } = await visitor(browser, server.url, { javaScriptEnabled });
    const file = (name) => join(server.home, `${mark}-${name}`);
    const openssl = (...args) => execFileSync("openssl", args, { stdio: ["ignore", "pipe", "ignore"] });
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
      "-subj", `/CN=Outside CA ${mark}`, "-keyout", file("ca.key"), "-out", file("ca.pem"));
    await logIn(page);
    await page.goto("/certificates/new");
    await page.getByLabel("Certificate Friendly Name").fill(`answered ${mark}`);
    await page.getByLabel("Name (Common Name)").fill(`answered-${mark}.example.org`);
    await page.getByRole("button", { name: "Create Certificate Request" }).click();
    await section(page, "Certificate Requests").getByRole("link", { name: `CN=answered-${mark}.example.org` }).click();
    writeFileSync(file("request.pem"), await page.getByRole("textbox", { name: "Request Data" }).inputValue());
    openssl("req", "-in", file("request.pem"), "-verify", "-noout");
    openssl("x509", "-req", "-in", file("request.pem"), "-CA", file("ca.pem"), "-CAkey", file("ca.key"),
      "-days", "20", "-copy_extensions", "copyall", "-out", file("answer.pem"));

    await page.getByLabel("Or paste the text").fill("this is no certificate");
    await page.getByRole("button", { name: "Upload" }).click();
    assert.match(await page.getByRole("alert").innerText(), /nothing has been stored/i);

    await page.getByLabel("Files").setInputFiles(file("answer.pem"));
    await page.getByRole("button", { name: "Upload" }).click();
    await page.getByRole("heading", { level: 1, name: `answered ${mark}` }).waitFor();
    assert.match(await page.getByRole("main").innerText(), /chain\.incomplete/);

    // "Then upload the root certificate file used by the CA."
    await page.getByRole("link", { name: "Import what is missing" }).first().click();
    await page.getByLabel("Or paste the text").fill(readFileSync(file("ca.pem"), "utf8"));
    await page.getByRole("button", { name: "Upload" }).click();
    await section(page, "What was found").getByText("1 certificate new here.").waitFor();
    await page.goto("/certificates");
    const row = section(page, "Certificates").getByRole("row").filter({ hasText: `answered ${mark}` });
    const text = await row.innerText();
    assert.match(text, new RegExp(`Outside CA ${mark}`));
    assert.doesNotMatch(text, /Warning/);
    await context.close();
  });
}

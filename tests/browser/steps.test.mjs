// Seed 004's step lists, "Create the Certificate" and "Create the Certificate Signing Request", followed from the
// Certificates page on: everything is found by the words that the steps use.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
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

/** Steps 1 to 6: everything before the button that makes it. */
async function fillIn(page, { friendly, common, names }) {
  await page.goto("/");
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Certificates", exact: true }).click();
  await section(page, "Certificate Installation").getByRole("link", { name: "Create", exact: true }).click();
  await page.getByLabel("Certificate Friendly Name").fill(friendly);
  await page.getByLabel("Key", { exact: true }).selectOption({ label: "RSA 2048" });
  await page.getByLabel("Country").fill("US");
  await page.getByLabel("State/Province").fill("Mississippi");
  await page.getByLabel("City (Locality)").fill("Ridgeland");
  await page.getByLabel("Organization", { exact: true }).fill('Business, Inc. "X" Ö');
  await page.getByLabel("Organizational Unit").fill("Support");
  await page.getByLabel("Name (Common Name)").fill(common);
  for (const name of names) {
    await page.getByLabel("Subject Alternative Names").fill(name);
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByRole("list", { name: "Names so far" }).getByText(name, { exact: true }).waitFor();
  }
}

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "with the script" : "without JavaScript";
  const mark = javaScriptEnabled ? "js" : "plain";

  test(`create the certificate, ${how}`, async () => {
    const { context, page, wrong } = await visitor(browser, server.url, { javaScriptEnabled });
    await logIn(page);
    const friendly = `self ${mark} November 2026`;
    await fillIn(page, { friendly, common: "Support label", names: ["access.example.com", `*.${mark}.example.com`] });
    await page.getByRole("button", { name: "Create Self-Signed Certificate" }).click();
    const row = section(page, "Certificates").getByRole("row").filter({ hasText: friendly });
    await row.waitFor();
    const text = await row.innerText();
    assert.match(text, /Support label/);
    assert.match(text, /dNSName - access\.example\.com/);
    assert.match(text, /Yes/);
    await row.getByRole("link", { name: friendly }).click();
    assert.match(await page.getByRole("main").innerText(), /O=Business, Inc\. "X" Ö/);
    assert.deepEqual(wrong, []);
    await context.close();
  });

  test(`create the certificate signing request, ${how}`, async () => {
    const { context, page, wrong } = await visitor(browser, server.url, { javaScriptEnabled });
    await logIn(page);
    const friendly = `request ${mark} November 2026`;
    await fillIn(page, { friendly, common: `support.${mark}.example.org`, names: [`*.${mark}.example.org`] });
    await page.getByRole("button", { name: "Create Certificate Request" }).click();
    const row = section(page, "Certificate Requests").getByRole("row").filter({ hasText: friendly });
    await row.waitFor();
    const said = await page.getByRole("status").first().innerText();
    assert.match(said, /became the first alternative name by itself/);
    assert.match(await row.innerText(), new RegExp(`dNSName - support\\.${mark}\\.example\\.org\\s+dNSName - \\*\\.${mark}`));
    // "Click the subject of your certificate request. Select and copy the Request Data."
    await row.getByRole("link", { name: /CN=support/ }).click();
    const data = await page.getByRole("textbox", { name: "Request Data" }).inputValue();
    assert.match(data, /^-----BEGIN CERTIFICATE REQUEST-----/);
    const main = await page.getByRole("main").innerText();
    assert.match(main, /RSA \(2048 Bits\)/);
    const first = await (await page.request.get(page.url() + "/request.der")).body();
    const second = await (await page.request.get(page.url() + "/request.der")).body();
    assert.ok(first.length > 500 && first.equals(second));
    // The list of all requests has the same to copy.
    await page.goto("/csrs");
    await page.locator("summary").filter({ hasText: friendly }).click();
    assert.equal(await page.getByRole("textbox", { name: `Request data of ${friendly}` }).inputValue(), data);
    assert.deepEqual(wrong, []);
    await context.close();
  });

  test(`what was wrong stands beside its field and nothing is lost, ${how}`, async () => {
    const { context, page } = await visitor(browser, server.url, { javaScriptEnabled });
    await logIn(page);
    await page.goto("/certificates/new");
    await page.getByLabel("Certificate Friendly Name").fill("kept as typed");
    await page.getByLabel("Country").fill("Finland");
    await page.getByLabel("Name (Common Name)").fill("kept.example.org");
    await page.getByRole("button", { name: "Create Certificate Request" }).click();
    await page.getByRole("alert").waitFor();
    assert.match(await page.getByRole("alert").innerText(), /Nothing has been stored/);
    assert.equal(await page.getByLabel("Country").getAttribute("aria-invalid"), "true");
    assert.equal(await page.getByLabel("Country").inputValue(), "Finland");
    assert.equal(await page.getByLabel("Certificate Friendly Name").inputValue(), "kept as typed");
    await page.goto("/csrs");
    assert.doesNotMatch(await page.getByRole("main").innerText(), /kept as typed/);
    await context.close();
  });

  test(`export, default and remove from the table, ${how}`, async () => {
    const { context, page } = await visitor(browser, server.url, { javaScriptEnabled });
    await logIn(page);
    const friendly = `table ${mark}`;
    await page.goto("/certificates/new");
    await page.getByLabel("Certificate Friendly Name").fill(friendly);
    await page.getByLabel("Name (Common Name)").fill(`table-${mark}.example.org`);
    await page.getByRole("button", { name: "Create Self-Signed Certificate" }).click();
    const row = () => section(page, "Certificates").getByRole("row").filter({ hasText: friendly });
    // "Check the box next to the new certificate. From the Select Action dropdown menu select Export. Click Apply."
    await row().getByRole("checkbox").check();
    await page.getByLabel("Select Action").selectOption("Export");
    await page.getByRole("button", { name: "Apply" }).click();
    await page.getByRole("heading", { level: 1, name: "Export" }).waitFor();
    await page.getByLabel("Include Private Key").uncheck();
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export" }).click()]);
    assert.match(file.suggestedFilename(), /certificate-[0-9a-f]{16}\.cer$/);
    // "Check the options to include the certificate, the private key, and the certificate chain. [...] set a passphrase."
    await page.getByLabel("Include Certificate", { exact: true }).check();
    await page.getByLabel("Include Private Key").check();
    await page.getByLabel("Passphrase", { exact: true }).fill("a long enough passphrase");
    await page.getByLabel("Include Certificate Chain").check();
    const [both] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export" }).click()]);
    assert.match(both.suggestedFilename(), /certificate-[0-9a-f]{16}\.p12$/);
    // "In the Default column, select the radio button for the certificate you wish to make default."
    await page.goto("/certificates");
    await row().getByRole("radio").check();
    await page.getByRole("button", { name: "Save default" }).click();
    await page.getByRole("status").first().getByText("The default certificate was changed").waitFor();
    assert.ok(await row().getByRole("radio").isChecked());
    // The factory certificate may not be removed; it takes the default back first.
    await page.getByRole("main").getByText("The factory default configuration may not be removed.").waitFor();
    const others = section(page, "Certificates").getByRole("row").filter({ hasNotText: friendly }).getByRole("radio");
    await others.first().check();
    await page.getByRole("button", { name: "Save default" }).click();
    await row().getByRole("checkbox").check();
    await page.getByLabel("Select Action").selectOption("Remove");
    await page.getByRole("button", { name: "Apply" }).click();
    await page.getByLabel(/^Type /).fill(friendly);
    await page.getByRole("button", { name: "Remove" }).click();
    await page.getByRole("status").first().getByText(`Removed: ${friendly}`).waitFor();
    assert.equal(await row().count(), 0);
    await context.close();
  });

  test(`several certificates are ticked and exported in one file, ${how}`, async () => {
    const { context, page } = await visitor(browser, server.url, { javaScriptEnabled });
    await logIn(page);
    const names = ["first", "second"].map((name) => `${name} ${mark}`);
    for (const [index, name] of names.entries()) {
      await page.goto("/certificates/new");
      await page.getByLabel("Certificate Friendly Name").fill(name);
      await page.getByLabel("Name (Common Name)").fill(`several-${index}-${mark}.example.org`);
      await page.getByRole("button", { name: "Create Self-Signed Certificate" }).click();
    }
    const toExport = async () => {
      await page.goto("/certificates");
      for (const name of names) await page.getByRole("checkbox", { name: `Select ${name}` }).check();
      await page.getByLabel("Select Action").selectOption("Export");
      await page.getByRole("button", { name: "Apply" }).click();
      await page.getByRole("main").getByText("2 certificates.").waitFor();
    };
    const download = async () => {
      const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export" }).click()]);
      return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
    };
    await toExport();
    const both = await download();
    assert.equal(both.name, "certificates-2.pem");
    assert.equal(both.bytes.toString().split("-----BEGIN CERTIFICATE-----").length, 3);
    await page.getByRole("checkbox", { name: names[1] }).uncheck();
    assert.equal((await download()).name.replace(/^.*-c/, "c"), "certificates-1.pem");
    await page.getByRole("checkbox", { name: names[0] }).uncheck();
    await page.getByRole("button", { name: "Export" }).click();
    assert.match(await page.getByRole("alert").innerText(), /Nothing is ticked/);
    for (const name of names) await page.getByRole("checkbox", { name }).check();
    await page.getByLabel("Form", { exact: true }).selectOption("jks");
    await page.getByLabel("Passphrase of the Trust Store").fill("six by six");
    const store = await download();
    assert.deepEqual([store.name, store.bytes.readUInt32BE(0)], ["trust-2.jks", 0xfeedfeed]);
    await context.close();
  });
}

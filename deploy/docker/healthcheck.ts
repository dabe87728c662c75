// Whether the process of this container says that it is well: node healthcheck.ts VARIABLE-OF-ITS-PORT STANDARD-PORT PATH
const [variable = '', standard = '', path = ''] = process.argv.slice(2);
const answer = await fetch(`http://127.0.0.1:${process.env[variable] || standard}${path}`);
process.exit(answer.ok ? 0 : 1);

/**
 * Programs that Wine has in name only: whatever they are told, they do nothing and succeed. A program of ours that fails
 * loudly takes their place, so that no step passes whose work was never done.
 */

/** Name → what Wine's (8.0, 10.0) would have left undone. */
export const refusedPrograms: Readonly<Record<string, string>> = {
  "arp.exe": "no address is shown or set",
  "aspnet_regiis.exe": "ASP.NET is not registered",
  "cacls.exe": "no access is changed; icacls works",
  "certutil.exe": "nothing is hashed, decoded, downloaded or added to a store",
  "dism.exe": "no feature is turned on, no image is changed",
  "dplaysvr.exe": "DirectPlay's server serves nobody",
  "dpnsvr.exe": "DirectPlay's server serves nobody",
  "dpvsetup.exe": "no voice is set up",
  "extrac32.exe": "a cabinet that cannot be read is a success; expand works",
  "klist.exe": "no ticket is shown or purged",
  "lodctr.exe": "no performance counter is registered",
  "mofcomp.exe": "no class is added to WMI",
  "mshta.exe": "no page is shown, no script runs",
  "msinfo32.exe": "no report is written",
  "netsh.exe": "no network, firewall or URL reservation is changed",
  "ngen.exe": "nothing is compiled",
  "pnputil.exe": "no driver is added or removed",
  "regasm.exe": "no assembly is registered",
  "regini.exe": "nothing is written to the registry",
  "regsvcs.exe": "no service is registered",
  "sdbinst.exe": "no fix is installed",
  "secedit.exe": "no security setting is changed",
  "servicemodelreg.exe": "WCF is not registered",
  "shutdown.exe": "nothing restarts; a build step has nothing to restart",
  "subst.exe": "no drive is made",
  "unlodctr.exe": "no performance counter is taken away",
  "wevtutil.exe": "no log is shown, cleared or made",
  "wmplayer.exe": "nothing is played",
};

/** The compiled program that stands in for all of them. */
export const refuser = "refuse.exe";

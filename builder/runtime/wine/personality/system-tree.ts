/**
 * The folders of C: as Windows spells them. Wine finds `system32` in `System32`, so what is made beforehand keeps its
 * spelling; a step that goes to `C:\windows\temp` then lands where the layers of Windows have it.
 */

/** Of every Windows, parents first; what Wine's set-up makes is among them. */
export const systemFolders: readonly string[] = [
  "Program Files",
  ...below("Program Files", "Common Files", "Internet Explorer", "Windows Media Player", "Windows NT"),
  ...below("Program Files/Common Files", "microsoft shared", "microsoft shared/TextConv", "Services", "System"),
  ...below("Program Files/Common Files/System", "ado", "msadc", "Ole DB"),
  "Program Files/Windows NT/Accessories",
  "Program Files (x86)",
  ...below("Program Files (x86)", "Common Files"),
  "ProgramData",
  ...below("ProgramData", "Microsoft", "Microsoft/Windows", "Microsoft/Windows/Start Menu"),
  ...below("ProgramData/Microsoft/Windows/Start Menu", "Programs", "Programs/Administrative Tools", "Programs/StartUp"),
  ...below("ProgramData/Microsoft/Windows", "Templates"),
  "Users",
  "Users/Public",
  ...below("Users/Public", "Desktop", "Documents", "Downloads", "Music", "Pictures", "Videos"),
  "Windows",
  ...below(
    "Windows",
    "assembly",
    "Fonts",
    "Globalization",
    "Globalization/Sorting",
    "Help",
    "INF",
    "Installer",
    "Logs",
  ),
  ...below("Windows", "Microsoft.NET", "Performance", "Performance/WinSAT", "Performance/WinSAT/DataStore"),
  ...below("Windows", "Resources", "Resources/Themes", "ServiceProfiles", "ServiceProfiles/LocalService"),
  ...below(
    "Windows",
    "ServiceProfiles/NetworkService",
    "System",
    "System32",
    "SystemTemp",
    "SysWOW64",
    "Tasks",
    "Temp",
  ),
  ...below("Windows", "WinSxS", "WinSxS/Manifests"),
  ...below(
    "Windows/System32",
    "CatRoot",
    "Com",
    "config",
    "config/systemprofile",
    "downlevel",
    "drivers",
    "drivers/etc",
  ),
  ...below("Windows/System32", "DriverStore", "en-US", "LogFiles", "MUI", "Speech", "Speech/Common", "spool"),
  ...below("Windows/System32/spool", "drivers", "drivers/color", "drivers/x64", "drivers/x64/3", "PRINTERS"),
  ...below("Windows/System32/spool", "prtprocs", "prtprocs/x64"),
  ...below("Windows/System32", "Tasks", "wbem", "WindowsPowerShell", "WindowsPowerShell/v1.0", "winevt", "winevt/Logs"),
];

/** Of an account's profile. */
export const profileFolders: readonly string[] = [
  "AppData",
  ...below("AppData", "Local", "Local/Microsoft", "Local/Microsoft/Windows", "Local/Temp", "LocalLow", "Roaming"),
  ...below("AppData/Local/Microsoft/Windows", "History", "INetCache", "INetCookies"),
  ...below("AppData/Roaming", "Microsoft", "Microsoft/Windows"),
  ...below("AppData/Roaming/Microsoft/Windows", "Network Shortcuts", "Printer Shortcuts", "Recent", "SendTo"),
  ...below("AppData/Roaming/Microsoft/Windows", "Start Menu", "Start Menu/Programs", "Templates", "Themes"),
  ...below("AppData/Roaming/Microsoft/Windows/Start Menu/Programs", "Administrative Tools", "StartUp"),
  ...["Contacts", "Desktop", "Documents", "Downloads", "Favorites", "Links", "Music", "Pictures", "Saved Games"],
  ...["Searches", "Videos"],
];

function below(parent: string, ...names: readonly string[]): string[] {
  return names.map((name) => `${parent}/${name}`);
}

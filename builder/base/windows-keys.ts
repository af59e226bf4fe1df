/** What the registry of a Windows base image says by itself: where things lie, which version it is. Tables, no code. */
import type { KeyTable } from "./registry-keys.ts";

/** Names that people know builds by. */
const products: Readonly<Record<number, readonly [product: string, release: string]>> = {
  14393: ["Windows Server 2016", "1607"],
  17763: ["Windows Server 2019", "1809"],
  20348: ["Windows Server 2022", "21H2"],
  25398: ["Windows Server, version 23H2", "23H2"],
  26100: ["Windows Server 2025", "24H2"],
};

const folders: KeyTable[string] = {
  CommonFilesDir: "C:\\Program Files\\Common Files",
  "CommonFilesDir (x86)": "C:\\Program Files (x86)\\Common Files",
  CommonW6432Dir: "C:\\Program Files\\Common Files",
  DevicePath: { expand: "%SystemRoot%\\inf" },
  ProgramFilesDir: "C:\\Program Files",
  "ProgramFilesDir (x86)": "C:\\Program Files (x86)",
  ProgramFilesPath: { expand: "%ProgramFiles%" },
  ProgramW6432Dir: "C:\\Program Files",
};

/** `\SOFTWARE`, for a version in its four numbers. */
export function softwareKeys([major, minor, build, revision]: readonly [number, number, number, number]): KeyTable {
  const [product, release] = products[build] ?? ["Windows", ""];
  const windows = "Microsoft\\Windows\\CurrentVersion";
  const nt = "Microsoft\\Windows NT\\CurrentVersion";
  const wow = "WOW6432Node\\Microsoft\\Windows\\CurrentVersion";
  return {
    Classes: {},
    Clients: {},
    [windows]: folders,
    [`${windows}\\App Paths`]: {},
    [`${windows}\\Explorer\\Shell Folders`]: { "Common AppData": "C:\\ProgramData" },
    [`${windows}\\Explorer\\User Shell Folders`]: { "Common AppData": { expand: "%ProgramData%" } },
    [`${windows}\\Group Policy`]: {},
    [`${windows}\\Installer\\UserData\\S-1-5-18\\Components`]: {},
    [`${windows}\\Installer\\UserData\\S-1-5-18\\Products`]: {},
    [`${windows}\\Policies\\System`]: {},
    [`${windows}\\Run`]: {},
    [`${windows}\\RunOnce`]: {},
    [`${windows}\\Setup`]: {},
    [`${windows}\\SharedDLLs`]: {},
    [`${windows}\\Uninstall`]: {},
    [nt]: {
      CurrentBuild: String(build),
      CurrentBuildNumber: String(build),
      CurrentMajorVersionNumber: major,
      CurrentMinorVersionNumber: minor,
      CurrentType: "Multiprocessor Free",
      // As every Windows since 8.1 says it here, for programs that compare text.
      CurrentVersion: major >= 10 ? "6.3" : `${major}.${minor}`,
      DisplayVersion: release,
      EditionID: "ServerDatacenter",
      InstallationType: "Server Core",
      PathName: "C:\\Windows",
      ProductName: product,
      SoftwareType: "System",
      SystemRoot: "C:\\Windows",
      UBR: revision,
    },
    [`${nt}\\Fonts`]: {},
    [`${nt}\\Image File Execution Options`]: {},
    [`${nt}\\ProfileList`]: {
      Default: { expand: "%SystemDrive%\\Users\\Default" },
      ProfilesDirectory: { expand: "%SystemDrive%\\Users" },
      ProgramData: { expand: "%SystemDrive%\\ProgramData" },
      Public: { expand: "%SystemDrive%\\Users\\Public" },
    },
    ...profile(nt, "S-1-5-18", "%systemroot%\\system32\\config\\systemprofile"),
    ...profile(nt, "S-1-5-19", "%systemroot%\\ServiceProfiles\\LocalService"),
    ...profile(nt, "S-1-5-20", "%systemroot%\\ServiceProfiles\\NetworkService"),
    [`${nt}\\Winlogon`]: {},
    ODBC: {},
    "Policies\\Microsoft": {},
    RegisteredApplications: {},
    "WOW6432Node\\Classes": {},
    [wow]: {
      ...folders,
      CommonFilesDir: "C:\\Program Files (x86)\\Common Files",
      ProgramFilesDir: "C:\\Program Files (x86)",
    },
    [`${wow}\\Run`]: {},
    [`${wow}\\RunOnce`]: {},
    [`${wow}\\Uninstall`]: {},
  };
}

function profile(nt: string, sid: string, path: string): KeyTable {
  return { [`${nt}\\ProfileList\\${sid}`]: { Flags: 12, ProfileImagePath: { expand: path }, State: 0 } };
}

const control = "ControlSet001\\Control";

/** `\SYSTEM`: one control set, and no key CurrentControlSet, which Windows makes as a link when it starts. */
export const systemKeys: KeyTable = {
  Select: { Current: 1, Default: 1, Failed: 0, LastKnownGood: 1 },
  Setup: { OOBEInProgress: 0, SetupType: 0, SystemSetupInProgress: 0 },
  [`${control}\\ComputerName\\ComputerName`]: { ComputerName: "CONTAINER" },
  [`${control}\\FileSystem`]: { LongPathsEnabled: 0, NtfsDisable8dot3NameCreation: 1, NtfsDisableLastAccessUpdate: 1 },
  [`${control}\\Lsa`]: {},
  [`${control}\\ProductOptions`]: {
    ProductSuite: ["Enterprise", "Terminal Server", "DataCenter"],
    ProductType: "ServerNT",
  },
  [`${control}\\Session Manager`]: { ProtectionMode: 1 },
  [`${control}\\Session Manager\\Environment`]: {
    ComSpec: { expand: "%SystemRoot%\\system32\\cmd.exe" },
    OS: "Windows_NT",
    Path: {
      expand:
        "%SystemRoot%\\system32;%SystemRoot%;%SystemRoot%\\System32\\Wbem;%SYSTEMROOT%\\System32\\WindowsPowerShell\\v1.0\\",
    },
    PATHEXT: ".COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC",
    PROCESSOR_ARCHITECTURE: "AMD64",
    TEMP: { expand: "%SystemRoot%\\TEMP" },
    TMP: { expand: "%SystemRoot%\\TEMP" },
    USERNAME: "SYSTEM",
    windir: { expand: "%SystemRoot%" },
  },
  [`${control}\\Windows`]: {
    CSDVersion: 0,
    Directory: { expand: "%SystemRoot%" },
    SystemDirectory: { expand: "%SystemRoot%\\system32" },
  },
  "ControlSet001\\Enum": {},
  "ControlSet001\\Hardware Profiles\\Current": {},
  "ControlSet001\\Policies": {},
  "ControlSet001\\Services\\EventLog\\Application": {},
  "ControlSet001\\Services\\EventLog\\System": {},
  "ControlSet001\\Services\\Tcpip\\Parameters": { Domain: "", Hostname: "container", "NV Hostname": "container" },
};

export const samKeys: KeyTable = {
  "SAM\\Domains\\Account\\Aliases\\Names": {},
  "SAM\\Domains\\Account\\Groups\\Names": {},
  "SAM\\Domains\\Account\\Users\\Names": {},
  "SAM\\Domains\\Builtin\\Aliases\\Members": {},
  "SAM\\Domains\\Builtin\\Aliases\\Names": {},
  "SAM\\RXACT": {},
};

export const securityKeys: KeyTable = {
  Cache: {},
  "Policy\\Accounts": {},
  "Policy\\Domains": {},
  "Policy\\Secrets": {},
  RXACT: {},
};

/** Of every account, and of the template for new ones. */
export const userKeys: KeyTable = {
  "AppEvents\\EventLabels": {},
  Console: {},
  "Control Panel\\International": {},
  Environment: {
    TEMP: { expand: "%USERPROFILE%\\AppData\\Local\\Temp" },
    TMP: { expand: "%USERPROFILE%\\AppData\\Local\\Temp" },
  },
  Network: {},
  "Software\\Classes": {},
  "Software\\Microsoft\\Windows\\CurrentVersion\\Run": {},
  "Software\\Microsoft\\Windows\\CurrentVersion\\RunOnce": {},
  "Software\\Microsoft\\Windows NT\\CurrentVersion": {},
  "Software\\Policies": {},
};

/** As ifmgrd's ifmgrctl prints it; scripts and people know it. */
export const USAGE = `Usage: ifmgrctl <action> <args>
Available actions:
  apply		apply latest config to managed interfaces
  plug		send plug event for device
  register	register a new device to be managed
  unplug	send unplug event for device
  unregister	stop managing a device
`;

/** What is ours. */
export const MORE = `
Without an action it lists the managed interfaces. The device is the host name of an interface, $INTERFACE when left out.

Example:
  $ ifmgrctl register eth1
  $ INTERFACE=eth1 ifmgrctl plug
`;

/**
 * The number under which the kernel knows Tenuto as the origin of routes (RTA_PROTOCOL), addresses (IFA_PROTO) and neighbour
 * entries (NDA_PROTOCOL). Free in the registry of linux/rtnetlink.h and in iproute2's rt_protos; give it a name with
 * `echo "199 tenuto" > /etc/iproute2/rt_protos.d/tenuto.conf`.
 */
export const TENUTO_PROTOCOL = 199;

import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** As nvidia-smi of R575 writes of the C fake's H100, as far as the two tell the same. */
function gpuXml(index: number): string {
  const bus = (0x1b + 0x10 * index).toString(16).toUpperCase();
  return `<gpu id="00000000:${bus}:00.0">
    <product_name>NVIDIA H100 80GB HBM3</product_name>
    <product_brand>NVIDIA</product_brand>
    <product_architecture>Hopper</product_architecture>
    <persistence_mode>Enabled</persistence_mode>
    <mig_mode><current_mig>Disabled</current_mig><pending_mig>Disabled</pending_mig></mig_mode>
    <mig_devices>None</mig_devices>
    <serial>165000000000${index}</serial>
    <uuid>GPU-00000000-0000-4000-8000-00000000000${index}</uuid>
    <minor_number>${index}</minor_number>
    <vbios_version>96.00.A5.00.01</vbios_version>
    <inforom_version><img_version>G520.0200.00.05</img_version><pwr_object>N/A</pwr_object></inforom_version>
    <gpu_recovery_action>None</gpu_recovery_action>
    <pci>
      <pci_bus_id>00000000:${bus}:00.0</pci_bus_id>
      <pci_gpu_link_info>
        <pcie_gen><max_link_gen>5</max_link_gen><current_link_gen>5</current_link_gen></pcie_gen>
        <link_widths><max_link_width>16x</max_link_width><current_link_width>16x</current_link_width></link_widths>
      </pci_gpu_link_info>
      <replay_counter>0</replay_counter>
    </pci>
    <fan_speed>N/A</fan_speed>
    <performance_state>P0</performance_state>
    <clocks_event_reasons>
      <clocks_event_reason_gpu_idle>Active</clocks_event_reason_gpu_idle>
      <clocks_event_reason_hw_slowdown>Not Active</clocks_event_reason_hw_slowdown>
    </clocks_event_reasons>
    <fb_memory_usage><total>81559 MiB</total><reserved>551 MiB</reserved><used>0 MiB</used></fb_memory_usage>
    <utilization><gpu_util>0 %</gpu_util><memory_util>0 %</memory_util></utilization>
    <ecc_mode><current_ecc>Enabled</current_ecc><pending_ecc>Enabled</pending_ecc></ecc_mode>
    <remapped_rows>
      <remapped_row_corr>0</remapped_row_corr>
      <remapped_row_pending>No</remapped_row_pending>
      <row_remapper_histogram>
        <row_remapper_histogram_max>2560 bank(s)</row_remapper_histogram_max>
      </row_remapper_histogram>
    </remapped_rows>
    <temperature><gpu_temp>32 C</gpu_temp><memory_temp>36 C</memory_temp></temperature>
    <gpu_power_readings><current_power_limit>700.00 W</current_power_limit></gpu_power_readings>
    <clocks><graphics_clock>345 MHz</graphics_clock></clocks>
  </gpu>`;
}

const queries = { compute_cap: '9.0', 'power.draw': '70.00', 'ecc.errors.corrected.volatile.total': '0' };

/** A program that answers as nvidia-smi would, of two such GPUs. Of the fields of a query it knows a few. */
export function fakeNvidiaSmi(folder: string, edit = (xml: string) => xml): string {
  const xml = edit(
    `<?xml version="1.0" ?>\n<nvidia_smi_log>${[0, 1].map(gpuXml).join('\n')}</nvidia_smi_log>`,
  );
  writeFileSync(join(folder, 'all.xml'), xml);
  const fields = Object.entries(queries).map(
    ([field, value]) =>
      `  *=pci.bus_id,${field}\\ *) printf '00000000:1B:00.0, ${value}\\n00000000:2B:00.0, ${value}\\n' ;;`,
  );
  const program = join(folder, 'nvidia-smi');
  writeFileSync(
    program,
    `#!/bin/sh\ncase "$*" in\n  '-q -x') cat '${join(folder, 'all.xml')}' ;;\n${fields.join('\n')}\n  *) echo 'Field is not a valid field to query.'; exit 2 ;;\nesac\n`,
  );
  chmodSync(program, 0o755);
  return program;
}
